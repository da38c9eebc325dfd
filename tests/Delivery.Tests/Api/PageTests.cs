using System.Net;

namespace Pipeline.Delivery.Tests;

public sealed class PageTests
{
    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    public async Task The_page_is_served_alike_in_every_environment(string environment)
    {
        await using var node = await TestNode.StartAsync(environment: environment);

        var page = (await node.GetAsync("/")).Is(200);
        Assert.Equal("text/html", page.Type);
        Assert.Contains("<title>", page.Text, StringComparison.Ordinal);
        Assert.True(page.Headers.CacheControl!.NoCache);
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_browser_library_is_served_compressed_and_may_be_imported_by_pages_of_any_origin()
    {
        await using var node = await TestNode.StartAsync(environment: "Production");

        using var request = new HttpRequestMessage(HttpMethod.Get, "/client/index.js")
        {
            Headers = { { "Origin", "https://app.example.com" }, { "Accept-Encoding", "br" } },
        };
        using var module = await node.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, module.StatusCode);
        Assert.Equal("text/javascript", module.Content.Headers.ContentType!.MediaType);
        Assert.Equal("br", module.Content.Headers.ContentEncoding.Single());
        Assert.Equal("*", module.Headers.GetValues("Access-Control-Allow-Origin").Single());
    }

    [Fact]
    public async Task The_openapi_document_describes_every_resource()
    {
        await using var node = await TestNode.StartAsync(environment: "Production");

        var document = (await node.GetAsync("/openapi/v1.json")).Is(200).Json;
        var paths = document.GetProperty("paths");
        (string Path, string[] Methods)[] expected =
        [
            ("/v1/events", ["get", "post"]), ("/v1/threads/{thread}/events", ["get"]), ("/v1/threads/{thread}/runs", ["post"]),
            ("/v1/runs/{run}", ["get"]), ("/v1/runs/{run}/cancel", ["post"]), ("/v1/threads", ["get"]),
            ("/v1/dev/token", ["post"]), ("/status", ["get"]), ("/health/live", ["get"]), ("/health/ready", ["get"]),
        ];
        Assert.Equal(expected.Select(e => e.Path).Order(), paths.EnumerateObject().Select(p => p.Name).Order());
        foreach (var (path, methods) in expected)
        {
            Assert.Equal(methods, paths.GetProperty(path).EnumerateObject().Select(p => p.Name).Order());
        }

        var read = paths.GetProperty("/v1/events").GetProperty("get");
        Assert.Contains("agent-events.v1", read.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.True(read.GetProperty("responses").GetProperty("200").GetProperty("content").TryGetProperty("text/event-stream", out _));
        Assert.Equal("integer", read.GetProperty("parameters").EnumerateArray().Single(p => p.GetProperty("name").GetString() == "limit").GetProperty("schema").GetProperty("type").GetString());
        Assert.True(read.GetProperty("responses").GetProperty("503").GetProperty("content").TryGetProperty("application/problem+json", out _));
        Assert.True(paths.GetProperty("/v1/threads").GetProperty("get").TryGetProperty("security", out _));
        Assert.False(paths.GetProperty("/status").GetProperty("get").TryGetProperty("security", out _));
    }

    [Theory]
    [InlineData("https://app.example.com", true)]
    [InlineData("https://evil.example.com", false)]
    public async Task Pages_of_allowed_origins_may_use_the_api(string origin, bool allowed)
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:AllowedOrigins:0"] = "https://app.example.com" });

        var answer = await node.SendAsync(
            HttpMethod.Options,
            "/v1/events",
            null,
            null,
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type"));

        Assert.Equal((int)HttpStatusCode.NoContent, answer.Status);
        Assert.Equal(allowed, answer.Headers.Contains("Access-Control-Allow-Origin"));
    }
}

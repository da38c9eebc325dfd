using Microsoft.AspNetCore.Http;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

/// <summary>What a request for events asks for, by its method, its headers and its path.</summary>
public sealed class RequestTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private TestNode Node => shared.Node;

    [Theory]
    [InlineData("text/event-stream", true)]
    [InlineData("application/json, text/event-stream", false)]
    [InlineData("text/event-stream, application/json", true)]
    [InlineData("application/json;q=0.5, text/event-stream", true)]
    [InlineData("text/event-stream;q=0.5, */*", false)]
    [InlineData("text/event-stream;q=0", false)]
    [InlineData("text/html, text/event-stream", true)]
    [InlineData("*/*", false)]
    [InlineData("", false)]
    public void The_transport_is_chosen_by_quality_and_then_by_order(string accept, bool eventStream)
    {
        var request = new DefaultHttpContext().Request;
        request.Headers.Accept = accept;
        Assert.Equal(eventStream, EventsEndpoint.WantsEventStream(request));
    }

    [Theory]
    [InlineData("Upgrade", "12", "dGhlIHNhbXBsZSBub25jZQ==", 426)]
    [InlineData("close", "13", "dGhlIHNhbXBsZSBub25jZQ==", 426)]
    [InlineData("Upgrade", "13", "short", 400)]
    public async Task An_upgrade_that_is_no_handshake_is_a_problem_and_not_an_answer_in_JSON(string connection, string version, string key, int status)
    {
        var answer = await Node.SendAsync(
            HttpMethod.Get, "/v1/events", Tokens.Of("u"), null,
            ("Connection", connection), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", version), ("Sec-WebSocket-Key", key));
        answer.IsProblem(status);
        Assert.Equal(status == 426, answer.Headers.Contains("Sec-WebSocket-Version"));
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/status")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/v1/threads")]
    [InlineData("/v1/threads/t-1/events")]
    [InlineData("/")]
    public async Task HEAD_is_GET_without_the_body(string path) =>
        Assert.Empty((await Node.SendAsync(HttpMethod.Head, path, Tokens.Of("u"), null)).Is(200).Text);

    [Fact]
    public async Task HEAD_of_a_stream_that_would_never_end_is_405() =>
        (await Node.SendAsync(HttpMethod.Head, "/v1/events", Tokens.Of("u"), null)).Is(405);

    [Fact]
    public async Task An_id_in_the_path_is_decoded_once()
    {
        var events = ((string[])["a/b", "a%2Fb", "a%252Fb"]).Select((thread, i) =>
        {
            var @event = Bodies.Event(run: $"r-{i}");
            @event["thread"] = thread;
            return @event;
        });
        (await Node.PostAsync("/v1/events", Tokens.Of("agent", scope: "events:append"), Bodies.Append("ids", [.. events]))).Is(200);

        foreach (var (path, thread) in ((string, string)[])[("a%2fb", "a/b"), ("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("a%25252Fb", "a%252Fb")])
        {
            var page = (await Node.GetAsync($"/v1/threads/{path}/events", Tokens.Of("ids"))).Is(200).Json;
            Assert.Equal([thread], page.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("thread").GetString()));
        }
    }

    [Fact]
    public async Task A_thread_is_read_from_a_position_that_no_stream_will_have()
    {
        var cursor = (await new Appending(Node, "huge").AppendAsync()).Single();
        var page = (await Node.GetAsync($"/v1/threads/t-1/events?after={cursor.Split('_')[0]}_{long.MaxValue}", Tokens.Of("huge"))).Is(200).Json;
        Assert.Equal("future", page.GetProperty("reason").GetString());
        Assert.Equal([cursor], page.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("cursor").GetString()));
    }
}

using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Pipeline.Delivery.Api;
using Pipeline.Messaging;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>A delivery node in this process, on real Kestrel, with a SQLite file of its own and the in-memory bus.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    public const string SigningKey = "delivery-tests-only-0123456789abcdef";

    private readonly string _folder;
    private readonly WebApplication _app;

    private TestNode(WebApplication app, string folder)
    {
        _app = app;
        _folder = folder;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.First()), Timeout = TimeSpan.FromSeconds(60) };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    public string ConnectionString => _app.Configuration["Persistence:ConnectionString"]!;

    public static async Task<TestNode> StartAsync(
        Dictionary<string, string?>? settings = null,
        string environment = "Development",
        bool standalone = false,
        Action<WebApplication>? map = null,
        bool migrate = true,
        Action<WebApplicationBuilder>? configure = null)
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-delivery-").FullName;
        var app = Compose(folder, settings ?? [], environment, standalone, configure);
        map?.Invoke(app);
        if (migrate && app.Configuration["Persistence:Provider"] == "sqlite")
        {
            await using var context = app.Services.GetRequiredService<PipelineDatabase>().CreateContext();
            await context.Database.MigrateAsync();
        }

        await app.StartAsync();
        if (app.Configuration["Bus:Transport"] == "memory")
        {
            var (bus, lacks) = (app.Services.GetRequiredService<BusHealth>(), app.Services.GetRequiredService<Degradation>());
            await Eventually.HoldsAsync(
                "the bus is there", () => bus is { CanConsume: true, CanPublish: true } && !lacks.Current.Contains(Degradation.Bus));
        }

        return new TestNode(app, folder);
    }

    public static WebApplication Compose(
        string folder, Dictionary<string, string?> settings, string environment, bool standalone,
        Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            EnvironmentName = environment,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Persistence:Provider"] = "sqlite",
            ["Persistence:ConnectionString"] = $"Data Source={Path.Combine(folder, "pipeline.db")}",
            ["Bus:Transport"] = "memory",
            ["Auth:SigningKey"] = SigningKey,

            // A busy machine is no fault: what the first frame says of the head is there when all is well.
            ["Delivery:ReadyWait"] = "00:00:05",
        });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders();
        builder.Services.AddPipelinePersistence("delivery-tests");
        builder.Services.AddPipelineBus("delivery-tests", DeliveryHost.ConfigureBus);
        builder.AddDelivery(standalone);
        configure?.Invoke(builder);
        var app = builder.Build();
        app.MapDelivery();
        return app;
    }

    /// <summary>Returns once the log has told the user's head: no page that comes late begins before it.</summary>
    public async Task KnowAsync(string user) => (await GetAsync("/v1/events", Tokens.Of(user))).Is(200);

    public async Task<string> TokenAsync(string user, string scope = "")
    {
        using var response = await Http.PostAsJsonAsync("/v1/dev/token", new { user, scope });
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    public Task<Answer> GetAsync(string path, string? token = null) => SendAsync(HttpMethod.Get, path, token, null);

    public Task<Answer> PostAsync(string path, string? token, object? body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, path, token, body is null ? null : JsonContent.Create(body), headers);

    public Task<Answer> PostRawAsync(string path, string? token, byte[] body, string contentType = "application/json") =>
        SendAsync(HttpMethod.Post, path, token, new ByteArrayContent(body) { Headers = { ContentType = new(contentType) } });

    public Task<Answer> PostRawAsync(string path, string? token, string body) =>
        PostRawAsync(path, token, Encoding.UTF8.GetBytes(body));

    public async Task<Answer> SendAsync(
        HttpMethod method, string path, string? token, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await Http.SendAsync(request);
        return await Answer.ReadAsync(response);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>One node for a class of tests that do not get in each other's way.</summary>
public sealed class SharedNode : IAsyncLifetime
{
    internal TestNode Node { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Node = await TestNode.StartAsync();

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}

/// <summary>An answer, read to its end.</summary>
internal sealed record Answer(int Status, string Type, string Text, HttpResponseHeaders Headers)
{
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Text);

    public string Field => Json.GetProperty("field").GetString()!;

    public string Detail => Json.GetProperty("detail").GetString()!;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response) => new(
        (int)response.StatusCode,
        response.Content.Headers.ContentType?.MediaType ?? "",
        await response.Content.ReadAsStringAsync(),
        response.Headers);

    /// <summary>Asserts a problem in full shape and returns it.</summary>
    public Answer IsProblem(int status)
    {
        Assert.True(status == Status, $"expected {status}, got {Status}: {Text}");
        Assert.Equal("application/problem+json", Type);
        Assert.Equal(status, Json.GetProperty("status").GetInt32());
        Assert.NotEmpty(Json.GetProperty("title").GetString()!);
        Assert.NotEmpty(Detail);
        return this;
    }

    public Answer Is(int status)
    {
        Assert.True(status == Status, $"expected {status}, got {Status}: {Text}");
        return this;
    }
}

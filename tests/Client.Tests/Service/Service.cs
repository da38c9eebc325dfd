using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Messaging;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>The quick start's service in this process: worker and delivery on a SQLite file of its own and the in-memory bus.</summary>
public sealed class Service : IAsyncLifetime
{
    private const string SigningKey = "client-tests-only-0123456789abcdef";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pipeline-client-");
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private WebApplication _app = null!;

    public Uri Url => new(_app.Urls.First());

    public IServiceProvider Services => _app.Services;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            EnvironmentName = "Development",
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Persistence:Provider"] = "sqlite",
            ["Persistence:ConnectionString"] = $"Data Source={Path.Combine(_folder.FullName, "pipeline.db")}",
            ["Persistence:MigrateAtStart"] = "true",
            ["Bus:Transport"] = "memory",
            ["Auth:SigningKey"] = SigningKey,
            ["Auth:ClockSkew"] = "00:00:00",
            ["Delivery:Heartbeat"] = "00:00:01",
            ["Delivery:Retry"] = "00:00:00.1",
            ["Delivery:Canary"] = "0",
            ["Worker:DemoPace"] = "0",
        });
        builder.Logging.ClearProviders();
        builder.Services.AddPipelinePersistence("client-tests");
        builder.Services.AddPipelineBus("client-tests", bus => DeliveryHost.ConfigureBus(bus.HandleRunCommands<Agents.Worker.RunCommands>()));
        builder.Services.AddAgentWorker();
        builder.AddDelivery(standalone: true);
        _app = builder.Build();
        _app.MapDelivery();
        await _app.StartAsync();
    }

    /// <summary>Before it, a network with its faults.</summary>
    public FaultProxy Network(Func<Func<Flow, ReadOnlySpan<byte>, bool>>? inspect = null) => new(Url.Host, Url.Port, inspect);

    /// <summary>A token of a user, with so much of its life left.</summary>
    public static string Token(string user, TimeSpan? life = null, string scope = "") => Jwt.Sign(SigningKey, user, scope, life ?? TimeSpan.FromHours(1));

    /// <summary>An agent that appends over HTTP to runs of this user.</summary>
    public HttpProducer Producer(string user, History? history = null) =>
        new(() => Url, Token("agent", scope: "events:append"), user, history ?? new History());

    /// <summary>Appends a whole run.</summary>
    public Task AppendAsync(string user, int events, string run = "r-1") =>
        Producer(user).RunAsync("t-1", run, events, TimeSpan.Zero, TestContext.Current.CancellationToken);

    /// <summary>What is committed for the user, by the JSON transport.</summary>
    public async Task<JsonElement> EventsAsync(string user, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Url, $"/v1/events?{query}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(user));
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    /// <summary>Returns once the log has told the user's head: no page that comes late begins before it.</summary>
    public Task KnowAsync(string user) => EventsAsync(user, "");

    /// <summary>Deletes everything of the user: another history begins.</summary>
    public Task EraseAsync(string user) => Services.GetRequiredService<LogAdmin>()
        .EraseAsync(StreamKey.Of("default", user), TestContext.Current.CancellationToken);

    /// <summary>How far the service knows this client to be; null for nowhere.</summary>
    public async Task<long?> AckAsync(string user, string client) => (await Services.GetRequiredService<AckStore>()
        .ReadAsync(StreamKey.Of("default", user), client, TestContext.Current.CancellationToken))?.Position;

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Npgsql;
using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>
/// The real deployment in small: delivery nodes and workers as separate processes on real PostgreSQL and RabbitMQ, each
/// cluster with a database and a virtual host of its own.
/// </summary>
public sealed class PipelineCluster : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private static readonly TimeSpan RequestBound = TimeSpan.FromSeconds(15);
    private readonly Dictionary<string, string> _settings;
    private readonly RabbitServer _rabbit;
    private readonly bool _linked;

    private PipelineCluster(string connectionString, RabbitServer rabbit, Dictionary<string, string> settings, bool linked)
    {
        ConnectionString = connectionString;
        (_rabbit, _settings, _linked) = (rabbit, settings, linked);
    }

    /// <summary>To its database, past all links.</summary>
    public string ConnectionString { get; }

    /// <summary>Its virtual host in RabbitMQ.</summary>
    public required string VirtualHost { get; init; }

    /// <summary>The configuration every host of the cluster shares.</summary>
    public IReadOnlyDictionary<string, string> Settings => _settings;

    public List<HostProcess> Nodes { get; } = [];

    public List<HostProcess> Workers { get; } = [];

    /// <summary>Starts a cluster, on the shared servers unless private ones are given.</summary>
    /// <param name="linked">Whether everything that a host talks with is behind a <see cref="FaultProxy"/>.</param>
    /// <param name="settings">Of every host.</param>
    public static async Task<PipelineCluster> StartAsync(
        int nodes, int workers, PostgresServer? postgres = null, RabbitServer? rabbit = null, bool linked = false,
        IEnumerable<KeyValuePair<string, string>>? settings = null)
    {
        postgres ??= await Servers.PostgresAsync();
        rabbit ??= await Servers.RabbitAsync();
        var connectionString = await postgres.CreateDatabaseAsync();
        var virtualHost = await rabbit.CreateVirtualHostAsync();
        var shared = new Dictionary<string, string>
        {
            ["Persistence:Provider"] = "postgres",
            ["Persistence:ConnectionString"] = connectionString,
            ["Bus:Host"] = rabbit.Host,
            ["Bus:Port"] = $"{rabbit.Port}",
            ["Bus:VirtualHost"] = virtualHost,
            ["Bus:Username"] = rabbit.Username,
            ["Bus:Password"] = rabbit.Password,
            ["Auth:SigningKey"] = "end-to-end-tests-only-0123456789abcdef",
        };
        foreach (var (key, value) in settings ?? [])
        {
            shared[key] = value;
        }

        var cluster = new PipelineCluster(connectionString, rabbit, shared, linked) { VirtualHost = virtualHost };
        try
        {
            await HostProgram.RunAsync("Delivery.Api", cluster._settings, "migrate");
            await Task.WhenAll(Enumerable.Range(0, nodes).Select(_ => cluster.AddNodeAsync()));
            await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => cluster.AddWorkerAsync()));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>This cluster, its database read elsewhere.</summary>
    public PipelineCluster On(string connectionString) =>
        new(connectionString, _rabbit, _settings, _linked) { VirtualHost = VirtualHost };

    public Task<HostProcess> AddNodeAsync(params (string Key, string Value)[] settings) =>
        AddAsync("Delivery.Api", Nodes, settings);

    public Task<HostProcess> AddWorkerAsync(params (string Key, string Value)[] settings) =>
        AddAsync("Agents.Worker", Workers, settings);

    /// <summary>Nodes, then workers.</summary>
    public IReadOnlyList<HostProcess> Hosts => [.. Nodes, .. Workers];

    /// <summary>Whether everything that is committed was published: the outbox is empty.</summary>
    public async Task<bool> OwesNothingAsync() => await ScalarAsync<long>("select count(*) from pipeline.outbox") == 0;

    /// <summary>Any node that lives.</summary>
    public HostProcess Node => Nodes.First(node => !node.HasExited);

    public async Task<string> TokenAsync(string user, string scope = "")
    {
        using var response = await Http.PostAsJsonAsync(new Uri(Node.Url, "/v1/dev/token"), new { user, scope });
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    /// <summary>What the hosts logged as an error; the first lines of each.</summary>
    public IReadOnlyList<string> Errors() =>
    [
        .. Hosts.SelectMany(host => host.Output.Split('\n').Index()
            .Where(line => line.Item.Contains("fail: ", StringComparison.Ordinal) || line.Item.Contains("crit: ", StringComparison.Ordinal))
            .Select(line => $"{host.Name}: {string.Join(' ', host.Output.Split('\n').Skip(line.Index).Take(3))}")),
    ];

    /// <summary>Asks for a run and returns its id.</summary>
    /// <param name="key">Makes the request one that may be repeated.</param>
    public Task<string> StartRunAsync(string token, string thread, string input, string? agent = null, string? key = null) =>
        StartRunAsync(Node.Url, token, thread, input, agent, key);

    /// <inheritdoc cref="StartRunAsync(string, string, string, string?, string?)"/>
    /// <exception cref="HttpRequestException">It was refused.</exception>
    public static async Task<string> StartRunAsync(
        Uri node, string token, string thread, string input, string? agent = null, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(node, $"/v1/threads/{thread}/runs"))
        {
            Content = JsonContent.Create(new { input, agent }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.CreateVersion7().ToString());
        using var bound = new CancellationTokenSource(RequestBound);
        using var response = await Http.SendAsync(request, bound.Token);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(bound.Token);
        return response.IsSuccessStatusCode
            ? answer.GetProperty("run").GetString()!
            : throw new HttpRequestException($"{answer}", null, response.StatusCode);
    }

    public async Task<string> StatusOfRunAsync(string token, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Node.Url, $"/v1/runs/{run}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("status").GetString()!;
    }

    /// <summary>What is committed for a user: the truth that every reader is held against. Its epoch is left open.</summary>
    public async Task<CommittedLog> CommittedAsync(string user)
    {
        const string sql =
            "select coalesce(max(trimmed), 0) from pipeline.stream_head where stream = $1;"
            + "select position, body::text, stored_at from pipeline.event_log where stream = $1 order by position";
        await using var connection = await ConnectAsync();
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in sql.Split(';'))
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(statement) { Parameters = { new() { Value = StreamKey.Of("default", user).Value } } });
        }

        await using var reader = await batch.ExecuteReaderAsync();
        await reader.ReadAsync();
        var trimmed = reader.GetInt64(0);
        await reader.NextResultAsync();
        var events = new List<CommittedEvent>();
        while (await reader.ReadAsync())
        {
            events.Add(new CommittedEvent(reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2)));
        }

        return new CommittedLog(null, trimmed, events);
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in Hosts)
        {
            await host.DisposeAsync();
        }
    }

    // Unpooled: what a fault broke is not met again.
    private async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    private async Task<HostProcess> AddAsync(
        string project, List<HostProcess> hosts, IEnumerable<(string Key, string Value)> extra)
    {
        var settings = new Dictionary<string, string>(_settings);
        foreach (var (key, value) in extra)
        {
            settings[key] = value;
        }

        HostLinks? links = null;
        if (_linked)
        {
            var database = new NpgsqlConnectionStringBuilder(settings["Persistence:ConnectionString"]);
            links = new HostLinks(
                new FaultProxy(database.Host!, database.Port),
                new FaultProxy(_rabbit.Host, _rabbit.Port),
                hosts == Nodes ? new FaultProxy("127.0.0.1", 0) : null);
            settings["Persistence:ConnectionString"] = links.Database.Behind(settings["Persistence:ConnectionString"]);
            settings["Bus:Port"] = $"{links.Broker.Port}";
            settings["Bus:Host"] = "127.0.0.1";
        }

        var host = await HostProcess.StartAsync(project, settings, links);
        lock (hosts)
        {
            hosts.Add(host);
        }

        return host;
    }
}

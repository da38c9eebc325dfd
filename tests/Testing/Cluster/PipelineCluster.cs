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
    private readonly Dictionary<string, string> _settings;

    private PipelineCluster(string connectionString, Dictionary<string, string> settings)
    {
        ConnectionString = connectionString;
        _settings = settings;
    }

    public string ConnectionString { get; }

    /// <summary>The configuration every host of the cluster shares.</summary>
    public IReadOnlyDictionary<string, string> Settings => _settings;

    public List<HostProcess> Nodes { get; } = [];

    public List<HostProcess> Workers { get; } = [];

    /// <summary>Starts a cluster, on the shared servers unless private ones are given.</summary>
    public static async Task<PipelineCluster> StartAsync(
        int nodes, int workers, PostgresServer? postgres = null, RabbitServer? rabbit = null)
    {
        postgres ??= await Servers.PostgresAsync();
        rabbit ??= await Servers.RabbitAsync();
        var connectionString = await postgres.CreateDatabaseAsync();
        var cluster = new PipelineCluster(connectionString, new Dictionary<string, string>
        {
            ["Persistence:Provider"] = "postgres",
            ["Persistence:ConnectionString"] = connectionString,
            ["Bus:Host"] = rabbit.Host,
            ["Bus:Port"] = $"{rabbit.Port}",
            ["Bus:VirtualHost"] = await rabbit.CreateVirtualHostAsync(),
            ["Bus:Username"] = rabbit.Username,
            ["Bus:Password"] = rabbit.Password,
            ["Auth:SigningKey"] = "end-to-end-tests-only-0123456789abcdef",
        });
        try
        {
            await HostProcess.RunAsync("Delivery.Api", cluster._settings, "migrate");
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

    public Task<HostProcess> AddNodeAsync(params (string Key, string Value)[] settings) =>
        AddAsync("Delivery.Api", Nodes, settings);

    public Task<HostProcess> AddWorkerAsync(params (string Key, string Value)[] settings) =>
        AddAsync("Agents.Worker", Workers, settings);

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
        .. Nodes.Concat(Workers).SelectMany(host => host.Output.Split('\n').Index()
            .Where(line => line.Item.Contains("fail: ", StringComparison.Ordinal) || line.Item.Contains("crit: ", StringComparison.Ordinal))
            .Select(line => $"{host.Name}: {string.Join(' ', host.Output.Split('\n').Skip(line.Index).Take(3))}")),
    ];

    /// <summary>Asks for a run and returns its id.</summary>
    /// <param name="key">Makes the request one that may be repeated.</param>
    public async Task<string> StartRunAsync(string token, string thread, string input, string? agent = null, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Node.Url, $"/v1/threads/{thread}/runs"))
        {
            Content = JsonContent.Create(new { input, agent }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.CreateVersion7().ToString());
        using var response = await Http.SendAsync(request);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return response.IsSuccessStatusCode
            ? answer.GetProperty("run").GetString()!
            : throw new InvalidOperationException($"{(int)response.StatusCode}: {answer}");
    }

    public async Task<string> StatusOfRunAsync(string token, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Node.Url, $"/v1/runs/{run}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("status").GetString()!;
    }

    /// <summary>Appends over HTTP, as an agent in another language does; the token needs the scope.</summary>
    public static async Task AppendAsync(HostProcess node, string token, string user, params object[] events)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(node.Url, "/v1/events"))
        {
            Content = JsonContent.Create(new { user, events }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>What is committed for a user: the truth that every reader is held against.</summary>
    public async Task<IReadOnlyList<CommittedBody>> CommittedAsync(string user)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select position, body::text, stored_at from pipeline.event_log where stream = $1 order by position", connection)
        {
            Parameters = { new() { Value = StreamKey.Of("default", user).Value } },
        };
        await using var reader = await command.ExecuteReaderAsync();
        var bodies = new List<CommittedBody>();
        while (await reader.ReadAsync())
        {
            bodies.Add(new CommittedBody(reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2)));
        }

        return bodies;
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in Nodes.Concat(Workers))
        {
            await host.DisposeAsync();
        }
    }

    private async Task<HostProcess> AddAsync(
        string project, List<HostProcess> hosts, IEnumerable<(string Key, string Value)> extra)
    {
        var settings = new Dictionary<string, string>(_settings);
        foreach (var (key, value) in extra)
        {
            settings[key] = value;
        }

        var host = await HostProcess.StartAsync(project, settings);
        lock (hosts)
        {
            hosts.Add(host);
        }

        return host;
    }
}

/// <param name="Body">The event's JSON without its cursor.</param>
/// <param name="StoredAt">By the database's clock, shortly before the commit.</param>
public sealed record CommittedBody(long Position, string Body, DateTimeOffset StoredAt);

using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>A database of its own for each test, and two processes of the pipeline that share it.</summary>
public abstract class StoreSuite(string provider) : IAsyncLifetime
{
    protected static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("pipeline-store-");
    private readonly List<TestProcess> _processes = [];

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected static StreamKey Alice { get; } = StreamKey.Of("default", "alice");

    protected static StreamKey Bob { get; } = StreamKey.Of("default", "bob");

    protected string ConnectionString { get; private set; } = "";

    protected TestProcess One => _processes[0];

    protected TestProcess Two => _processes[1];

    public async ValueTask InitializeAsync()
    {
        ConnectionString = provider == "postgres"
            ? await (await ServerAsync()).CreateDatabaseAsync()
            : $"Data Source={Path.Combine(_files.FullName, "pipeline.db")}";
        StartProcess();
        StartProcess();
        await using var context = One.Database.CreateContext();
        await context.Database.MigrateAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        await RemoveDatabaseAsync();
        _files.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    protected virtual Task<PostgresServer> ServerAsync() => Servers.PostgresAsync();

    /// <summary>Hundreds of databases would take the shared server longer to delete than the test process waits at its end.</summary>
    protected virtual async Task RemoveDatabaseAsync()
    {
        if (provider == "postgres")
        {
            var settings = new NpgsqlConnectionStringBuilder(ConnectionString);
            var database = settings.Database;
            settings.Database = "postgres";
            settings.Pooling = false;
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(CancellationToken.None);
            await using var drop = new NpgsqlCommand($"drop database if exists {database} with (force)", connection);
            await drop.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    protected TestProcess StartProcess(params (string Key, string Value)[] settings)
    {
        var process = new TestProcess(provider, ConnectionString, settings);
        _processes.Add(process);
        return process;
    }

    /// <summary>Runs the query in a context of its own.</summary>
    protected async Task<T> QueryAsync<T>(Func<PipelineContext, Task<T>> query)
    {
        await using var context = One.Database.CreateContext();
        return await query(context);
    }

    protected Task<RunCreated> CreateRunAsync(StreamKey? stream = null, string thread = "t-1", string input = "hello") =>
        One.Runs.CreateAsync(new NewRun(stream ?? Alice, thread, input, Agent: null, IdempotencyKey: null), Stop);

    protected async Task<ClaimedRun> CreateClaimedRunAsync(TestProcess worker)
    {
        var run = await CreateRunAsync();
        return await worker.Claims.ClaimAsync(Alice, run.Run, Lease, Stop) ?? throw new InvalidOperationException("claimed by nobody");
    }

    protected async Task<RunLease> ReadLeaseAsync(RunKey run) =>
        (await One.Lost.ReadLeasesAsync(Stop)).Single(lease => lease.Key == run);

    protected Task<List<string>> TypesAsync(StreamKey stream, string run) => QueryAsync(context => context.Events
        .Where(row => row.Stream == stream.Value && row.Run == run)
        .OrderBy(row => row.Position).Select(row => row.Type).ToListAsync(Stop));
}

/// <summary>What one process of the pipeline has of Persistence.</summary>
public sealed class TestProcess : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public TestProcess(string provider, string connectionString, params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Persistence:Provider"] = provider,
            ["Persistence:ConnectionString"] = connectionString,

            // A busy machine is no fault: who is to give up sooner says so.
            ["Persistence:CommandTimeout"] = "00:01:00",
            ["Persistence:LockTimeout"] = "00:00:50",
        }).AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build();
        _services = new ServiceCollection().AddLogging().AddSingleton<IConfiguration>(configuration)
            .AddSingleton(new KnownAgents(["demo"], ["demo"])).AddPipelinePersistence("test").BuildServiceProvider();

        // As a relay does, so that the process owns what it commits.
        Handover.Offered += Relay;
    }

    public PipelineDatabase Database => Get<PipelineDatabase>();
    public ProcessIdentity Identity => Get<ProcessIdentity>();
    public EventEncoder Encoder => Get<EventEncoder>();
    public RunStore Runs => Get<RunStore>();
    public RunClaims Claims => Get<RunClaims>();
    public LostRuns Lost => Get<LostRuns>();
    public OutboxStore Outbox => Get<OutboxStore>();
    public AckStore Acks => Get<AckStore>();
    public EventLog Log => Get<EventLog>();
    public LogReader Reader => Get<LogReader>();
    public OutboxHandover Handover => Get<OutboxHandover>();

    /// <summary>Appends one event in a transaction of its own.</summary>
    public Task<AppendResult> AppendAsync(AgentEvent @event) =>
        Get<EventLog>().AppendAsync([Encoder.Encode(@event)], TestContext.Current.CancellationToken);

    /// <summary>Appends an event as the run's executor.</summary>
    public Task<AppendResult> AppendAsync<T>(ClaimedRun run, T @event) where T : AgentEvent
    {
        var (tenant, user) = run.Key.Stream.Split();
        return AppendAsync(@event with
        {
            Tenant = tenant,
            User = user,
            Thread = run.Thread,
            Run = run.Key.Run,
            Attempt = run.Attempt,
        });
    }

    /// <summary>The process has no relay any more.</summary>
    public void StopRelay() => Handover.Offered -= Relay;

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    private static void Relay()
    {
    }

    public T Get<T>() where T : notnull => _services.GetRequiredService<T>();
}

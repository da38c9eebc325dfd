using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>A real database of its own for each test, and any number of workers on it.</summary>
public abstract class WorkerSuite(string provider) : IAsyncLifetime
{
    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("pipeline-worker-");
    private readonly List<TestWorker> _workers = [];

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Between two looks of a watch that a test drives.</summary>
    protected static readonly TimeSpan Look = TimeSpan.FromSeconds(0.5);

    protected static StreamKey Alice { get; } = StreamKey.Of("default", "alice");

    protected string ConnectionString { get; private set; } = "";

    /// <summary>Where runs are asked for and looked at: a process that executes none.</summary>
    private TestWorker Desk => _workers[0];

    protected bool IsSqlite => Desk.Get<PipelineDatabase>().IsSqlite;

    protected PipelineContext NewContext() => Desk.Get<PipelineDatabase>().CreateContext();

    protected RunStore Runs => Desk.Get<RunStore>();

    public async ValueTask InitializeAsync()
    {
        ConnectionString = await CreateDatabaseAsync();
        NewWorker();
        await using var context = Desk.Get<PipelineDatabase>().CreateContext();
        await context.Database.MigrateAsync(Stop);
    }

    public virtual async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
        {
            await worker.DisposeAsync();
        }

        _files.Delete(recursive: true);
        Assert.Empty(_workers.SelectMany(w => w.Errors));
        GC.SuppressFinalize(this);
    }

    protected virtual async Task<string> CreateDatabaseAsync() => provider == "postgres"
        ? await (await Servers.PostgresAsync()).CreateDatabaseAsync()
        : $"Data Source={Path.Combine(_files.FullName, "pipeline.db")}";

    protected TestWorker NewWorker(TimeProvider? time = null, params (string Key, string? Value)[] settings)
    {
        var worker = new TestWorker(
            provider, ConnectionString, time ?? TimeProvider.System, settings.ToDictionary(s => s.Key, s => s.Value));
        _workers.Add(worker);
        return worker;
    }

    /// <summary>What an agent does that never ends by itself.</summary>
    protected static Task UntilCancelledAsync(CancellationToken cancellationToken) => new TaskCompletionSource().Task.WaitAsync(cancellationToken);

    protected Task<TestWorker> StartWorkerAsync(Func<AgentRunContext, CancellationToken, Task> script, params (string Key, string? Value)[] settings) =>
        StartWorkerAsync(TimeProvider.System, script, settings);

    protected async Task<TestWorker> StartWorkerAsync(
        TimeProvider time, Func<AgentRunContext, CancellationToken, Task> script, params (string Key, string? Value)[] settings)
    {
        var worker = NewWorker(time, settings);
        worker.Script.Body = script;
        await worker.StartAsync();
        return worker;
    }

    protected async Task<RunKey> AskAsync(string agent = "scripted", string input = "hello", StreamKey? stream = null)
    {
        var key = stream ?? Alice;
        var created = await Runs.CreateAsync(new NewRun(key, "t-1", input, agent, IdempotencyKey: null), Stop);
        return new RunKey(key, created.Run);
    }

    protected async Task<AgentRun> GetAsync(RunKey run) =>
        await Runs.GetAsync(run.Stream, run.Run, Stop) ?? throw new InvalidOperationException($"no run {run.Run}");

    /// <summary>Waits for the run to be there, and returns its events.</summary>
    protected async Task<IReadOnlyList<StoredEvent>> EndsAsync(RunKey run, RunStatus status)
    {
        await Eventually.HoldsAsync($"the run is {status}", async () => (await GetAsync(run)).Status == status, TimeSpan.FromSeconds(30));
        return await EventsAsync(run);
    }

    /// <summary>The run's events, which are numbered without a gap and end at most once.</summary>
    protected async Task<IReadOnlyList<StoredEvent>> EventsAsync(RunKey run)
    {
        await using var context = Desk.Get<PipelineDatabase>().CreateContext();
        var rows = await context.Events.Where(row => row.Stream == run.Stream.Value && row.Run == run.Run)
            .OrderBy(row => row.Position).ToListAsync(Stop);
        Assert.Equal(Enumerable.Range(1, rows.Count).Select(n => (long)n), rows.Select(row => row.Sequence));
        Assert.DoesNotContain(rows.SkipLast(1), row => EventTypes.IsTerminal(row.Type));
        return [.. rows.Select(row => new StoredEvent(row.Type, JsonDocument.Parse(row.Body).RootElement.GetProperty("data")))];
    }

    protected async Task<bool> HasAsync(RunKey run, string type) => (await EventsAsync(run)).Any(e => e.Type == type);

    /// <summary>Looks at the leases while the worker's own clock moves on, as its loop would.</summary>
    /// <param name="alive">A process that goes on beating meanwhile, by that clock.</param>
    /// <returns>Looks that failed.</returns>
    protected static async Task<int> WatchAsync(
        TestWorker watcher, FakeTimeProvider clock, TimeSpan length, TestWorker? alive = null)
    {
        var failed = 0;
        for (var passed = TimeSpan.Zero; passed < length; passed += Look)
        {
            clock.Advance(Look);
            if (alive is not null)
            {
                await alive.Get<ProcessLease>().WriteAsync(Stop);
            }

            failed += await Record.ExceptionAsync(() => watcher.Watch.LookAsync(Stop)) is null ? 0 : 1;
        }

        return failed;
    }

    protected static IEnumerable<string> Types(IEnumerable<StoredEvent> events) => events.Select(e => e.Type);

    protected sealed record StoredEvent(string Type, JsonElement Data)
    {
        public string? Text(string name) => Data.TryGetProperty(name, out var value) ? value.GetString() : null;
    }
}

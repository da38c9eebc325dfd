using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>The database away, or reading only, for longer than a lease: agents wait, nobody's run expires.</summary>
[Trait("needs", "servers")]
public sealed class DatabaseOutageTests() : WorkerSuite("postgres")
{
    private static readonly TimeSpan LongerThanALease = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShorterThanALease = TimeSpan.FromSeconds(2);

    private readonly FakeTimeProvider _clock = new();
    private PostgresServer? _server;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _server!.DisposeAsync();
    }

    [Fact]
    public async Task A_run_waits_for_the_database_and_goes_on_at_its_first_attempt()
    {
        var go = new TaskCompletionSource();
        await StartWorkerAsync(
            async (context, ct) =>
            {
                await context.ThinkAsync("before", ct);
                await go.Task;
                await context.ThinkAsync("during", ct);
            },
            ("Worker:Lease", "00:01:00"));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentThinking));
        await ShortenLeaseAsync(run);
        var watcher = NewWorker(_clock);
        Assert.Equal(0, await WatchAsync(watcher, _clock, ShorterThanALease));

        await _server!.StopAsync();
        go.SetResult();
        Assert.NotEqual(0, await WatchAsync(watcher, _clock, LongerThanALease));
        await _server.StartAsync();

        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(["run_requested", "agent_started", "agent_thinking", "agent_thinking", "agent_completed"], Types(events));
        Assert.Equal(1, (await GetAsync(run)).Attempt);
    }

    [Fact]
    public async Task A_silent_runs_lease_does_not_expire_while_nobody_could_have_renewed_it()
    {
        var run = await SilentRunAsync();
        var watcher = NewWorker(_clock);
        await WatchAsync(watcher, _clock, ShorterThanALease);

        await SetReadOnlyAsync(true);
        Assert.Equal(LongerThanALease / Look, await WatchAsync(watcher, _clock, LongerThanALease));
        await SetReadOnlyAsync(false);
        await WatchAsync(watcher, _clock, ShorterThanALease);
        Assert.Equal((RunStatus.Running, 1), await StateAsync(run));

        await WatchAsync(watcher, _clock, LongerThanALease);
        Assert.Equal((RunStatus.Queued, 1), await StateAsync(run));
    }

    [Fact]
    public async Task A_renewal_on_a_connection_that_hangs_is_repeated_on_another()
    {
        var target = new NpgsqlConnectionStringBuilder(ConnectionString);
        await using var network = new FaultProxy(target.Host!, target.Port);
        var worker = await StartWorkerAsync(
            (_, ct) => UntilCancelledAsync(ct),
            ("Persistence:ConnectionString", network.Behind(ConnectionString)), ("Worker:Lease", "00:00:02"));
        var run = await AskAsync("resumable");
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));

        network.Forget();
        var before = await CounterAsync(run);

        // A statement may take 10 s by default: the half-open connections would have been noticed only then.
        await Eventually.HoldsAsync("the lease is renewed", async () => await CounterAsync(run) > before + 2, TimeSpan.FromSeconds(8));
        Assert.Equal((RunStatus.Running, 1), await StateAsync(run));
        await worker.StopAsync(Stop);
    }

    [Fact]
    public async Task A_lock_that_holds_up_every_write_costs_no_run_its_worker()
    {
        var go = new TaskCompletionSource();
        await StartWorkerAsync((context, ct) => go.Task.WaitAsync(ct), ("Persistence:CommandTimeout", "00:00:01"), ("Persistence:LockTimeout", "00:00:00.5"));
        var run = await AskAsync("resumable");
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        var watcher = NewWorker(_clock, ("Persistence:CommandTimeout", "00:00:01"), ("Persistence:LockTimeout", "00:00:00.5"));
        await WatchAsync(watcher, _clock, ShorterThanALease);

        await using (var blocker = await OpenAsync())
        {
            await ExecuteAsync(blocker, "begin; lock table pipeline.agent_run, pipeline.process in share row exclusive mode");
            Assert.NotEqual(0, await WatchAsync(watcher, _clock, LongerThanALease));
        }

        await WatchAsync(watcher, _clock, ShorterThanALease);
        Assert.Equal((RunStatus.Running, 1), await StateAsync(run));
        go.SetResult();
        await EndsAsync(run, RunStatus.Completed);
    }

    /// <summary>Of a worker whose clock stands still, so that it renews nothing.</summary>
    private async Task<RunKey> SilentRunAsync()
    {
        var silent = await StartWorkerAsync(new FakeTimeProvider(), (_, ct) => UntilCancelledAsync(ct));
        var run = await AskAsync("resumable");
        await silent.NudgeAsync(run);
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        return run;
    }

    /// <summary>To the watcher's eyes, while its worker, which renews by the real clock, need not hurry.</summary>
    private async Task ShortenLeaseAsync(RunKey run)
    {
        await using var context = NewContext();
        await context.Runs.Where(row => row.Run == run.Run).ExecuteUpdateAsync(set => set.SetProperty(row => row.LeaseSeconds, 3), Stop);
    }

    private async Task<long> CounterAsync(RunKey run)
    {
        await using var context = NewContext();
        return await context.Runs.Where(row => row.Run == run.Run).Select(row => row.LeaseCounter).SingleAsync(Stop);
    }

    private async Task<(RunStatus, int)> StateAsync(RunKey run)
    {
        var row = await GetAsync(run);
        return (row.Status, row.Attempt);
    }

    private async Task SetReadOnlyAsync(bool isReadOnly)
    {
        await using var connection = await OpenAsync();
        await ExecuteAsync(connection, $"""
            set default_transaction_read_only = off;
            alter database {connection.Database} set default_transaction_read_only = {(isReadOnly ? "on" : "off")};
            """);
        await ExecuteAsync(connection, """
            select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            """);
        await Eventually.HoldsAsync("the pool has noticed", async () => await Runs.ListThreadsAsync(Alice, 1, Stop) is not null);
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false;Options=-c default_transaction_read_only=off");
        await connection.OpenAsync(Stop);
        return connection;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Stop);
    }

    protected override async Task<string> CreateDatabaseAsync()
    {
        _server = await PostgresServer.StartPrivateAsync();
        return await _server.CreateDatabaseAsync();
    }
}

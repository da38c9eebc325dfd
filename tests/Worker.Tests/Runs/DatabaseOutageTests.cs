using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>The database away for longer than a lease: agents wait, nobody's run expires.</summary>
[Trait("needs", "servers")]
public sealed class DatabaseOutageTests() : WorkerSuite("postgres")
{
    // The clock of the run's worker, which renews when it is moved: not before the other one has seen the database again.
    private readonly FakeTimeProvider _clock = new();
    private PostgresServer? _server;

    public override async ValueTask DisposeAsync()
    {
        var disposing = base.DisposeAsync().AsTask();
        await Eventually.HoldsAsync("the workers have stopped", () =>
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return disposing.IsCompleted;
        });
        await disposing;
        await _server!.DisposeAsync();
    }

    [Fact]
    public async Task A_run_waits_for_the_database_and_goes_on_at_its_first_attempt()
    {
        var go = new TaskCompletionSource();
        await StartWorkerAsync(
            _clock,
            async (context, ct) =>
            {
                await context.ThinkAsync("before", ct);
                await go.Task;
                await context.ThinkAsync("during", ct);
            },
            ("Worker:Lease", "00:00:08"));
        var run = await AskAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentThinking));
        await StartWorkerAsync((_, _) => throw new InvalidOperationException("must not be executed here"));

        await _server!.StopAsync();
        go.SetResult();
        await LastsAsync("the outage", TimeSpan.FromSeconds(9));
        await _server.StartAsync();
        await LastsAsync("the other worker's watch after it", TimeSpan.FromSeconds(3));
        await Eventually.HoldsAsync("the run has ended", async () =>
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return (await GetAsync(run)).EndedAt is not null;
        });

        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(["run_requested", "agent_started", "agent_thinking", "agent_thinking", "agent_completed"], Types(events));
        Assert.Equal(1, (await GetAsync(run)).Attempt);
    }

    private static Task LastsAsync(string what, TimeSpan length)
    {
        var clock = Stopwatch.StartNew();
        return Eventually.HoldsAsync($"{what} lasts {length}", () => clock.Elapsed > length);
    }

    protected override async Task<string> CreateDatabaseAsync()
    {
        _server = await PostgresServer.StartPrivateAsync();
        return await _server.CreateDatabaseAsync();
    }
}

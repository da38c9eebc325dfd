using System.Diagnostics;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>The database away for longer than a lease: agents wait, nobody's run expires.</summary>
[Trait("needs", "servers")]
public sealed class DatabaseOutageTests() : WorkerSuite("postgres")
{
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
        await StartWorkerAsync(async (context, ct) =>
        {
            await context.ThinkAsync("before", ct);
            await go.Task;
            await context.ThinkAsync("during", ct);
        });
        var run = await AskAsync();
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentThinking));
        await StartWorkerAsync((_, _) => throw new InvalidOperationException("must not be executed here"));

        await _server!.StopAsync();
        go.SetResult();
        var outage = Stopwatch.StartNew();
        await Eventually.HoldsAsync("the outage is three leases long", () => outage.Elapsed > TimeSpan.FromSeconds(3));
        await _server.StartAsync();

        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(["run_requested", "agent_started", "agent_thinking", "agent_thinking", "agent_completed"], Types(events));
        Assert.Equal(1, (await GetAsync(run)).Attempt);
    }

    protected override async Task<string> CreateDatabaseAsync()
    {
        _server = await PostgresServer.StartPrivateAsync();
        return await _server.CreateDatabaseAsync();
    }
}

using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>Runs of agents that no process has.</summary>
public abstract class UnknownAgentTests(string provider) : WorkerSuite(provider)
{
    private static readonly TimeSpan AlmostAMinute = LeaseWatch.AgentAbsence - TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task A_run_of_an_agent_that_nobody_has_for_a_minute_fails_and_names_no_others()
    {
        var watcher = await NewWatcherAsync();
        var run = await AskAsync("nobody");
        await WatchAsync(watcher, _clock, AlmostAMinute);
        Assert.Equal(RunStatus.Queued, (await GetAsync(run)).Status);

        await WatchAsync(watcher, _clock, TimeSpan.FromSeconds(6));
        var failed = (await EndsAsync(run, RunStatus.Failed))[^1];
        Assert.Equal("unknown_agent", failed.Text("reason"));
        Assert.Contains("'nobody'", failed.Text("error"), StringComparison.Ordinal);
        Assert.DoesNotContain("scripted", failed.Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_of_an_agent_that_another_process_has_waits_for_it()
    {
        var other = NewWorker();
        await StartProcessAsync(other);
        var watcher = await NewWatcherAsync((TestWorker.Lacks, "resumable"));
        var run = await AskAsync("resumable");

        await WatchAsync(watcher, _clock, AlmostAMinute + TimeSpan.FromSeconds(10), alive: other);

        Assert.Equal(RunStatus.Queued, (await GetAsync(run)).Status);
    }

    /// <summary>Watches when the test says so; its process beats by the same clock.</summary>
    private async Task<TestWorker> NewWatcherAsync(params (string Key, string? Value)[] settings)
    {
        var watcher = NewWorker(_clock, settings);
        await StartProcessAsync(watcher);
        return watcher;
    }

    /// <summary>Returns once the process has said what agents it has, and read what the others have.</summary>
    private static async Task StartProcessAsync(TestWorker worker)
    {
        await worker.Get<ProcessLease>().StartAsync(Stop);
        await Eventually.HoldsAsync("its process is known", () => worker.Get<ProcessLease>().LiveAgents is not null);
    }
}

public sealed class SqliteUnknownAgentTests() : UnknownAgentTests("sqlite");

public sealed class PostgresUnknownAgentTests() : UnknownAgentTests("postgres");

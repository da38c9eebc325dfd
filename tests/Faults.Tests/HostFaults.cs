using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Workers and nodes that die, sleep, or are replaced.</summary>
public sealed class HostFaults(SharedCluster shared)
{
    private const string LongRequest = "think for a long while about the answer";

    [Fact]
    public async Task The_events_of_a_worker_killed_between_commit_and_publish_arrive()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using var fault = scenario.History.Break("a worker dies after its commit");
        var victim = await OnlyWorkerAsync(("Failpoints:after-commit-before-publish", "kill@3"));

        await alice.AskAsync();
        await victim.WaitForExitAsync(TimeSpan.FromSeconds(30));

        await alice.SeesEverythingAsync();
        await HealAsync(victim);
        fault.Dispose();
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_worker_killed_in_mid_transaction_leaves_no_event_and_no_hole()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using var fault = scenario.History.Break("a worker dies in its transaction");
        var victim = await OnlyWorkerAsync(("Failpoints:in-transaction", "kill@3"));

        await alice.AskAsync();
        await victim.WaitForExitAsync(TimeSpan.FromSeconds(30));

        await HealAsync(victim);
        fault.Dispose();
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_worker_that_wakes_after_its_run_was_taken_over_writes_no_second_ending()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var (sleeper, other) = (shared.Cluster.Workers[0], shared.Cluster.Workers[1]);
        using var fault = scenario.History.Break("a worker is away, and the other sleeps past its lease");
        await other.KillAsync();
        var run = await alice.AskAsync(LongRequest);
        await Eventually.HoldsAsync("the run is under way", async () => await EventsAsync(run) >= 4);

        await sleeper.SignalAsync("STOP");
        await other.StartAgainAsync();
        await Eventually.HoldsAsync(
            "another worker took the run over",
            async () => await shared.Cluster.ScalarAsync<int>($"select attempt from pipeline.agent_run where run = '{run}'") > 1,
            TimeSpan.FromSeconds(60));
        await sleeper.SignalAsync("CONT");
        await Eventually.HoldsAsync(
            "the one that woke finds that the run is not its own any more",
            () => sleeper.Output.Contains($"Run {run} is no longer attempt 1's", StringComparison.Ordinal)
                || sleeper.Output.Contains($"Run {run}, attempt 1: lost", StringComparison.Ordinal));

        fault.Dispose();
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_relay_that_wakes_after_another_published_what_it_owned_doubles_nothing_visible()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var node = shared.Cluster.Nodes[1];
        alice.Through = () => node.Url;
        node.Links!.Broker.Hold();
        using var fault = scenario.History.Break("a relay sleeps past its lease, with events to publish");
        for (var n = 0; n < 3; n++)
        {
            await alice.AppendAsync(TestContext.Current.CancellationToken);
        }

        await node.SignalAsync("STOP");
        await Eventually.HoldsAsync(
            "others published what it owned",
            shared.Cluster.OwesNothingAsync,
            TimeSpan.FromSeconds(30));
        await node.SignalAsync("CONT");
        node.Links.Broker.Heal();

        fault.Dispose();
        await alice.SeesEverythingAsync();
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_node_killed_with_all_its_clients_is_replaced_and_they_resume_elsewhere()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var (victim, other) = (shared.Cluster.Nodes[0], shared.Cluster.Nodes[1]);
        alice.Through = () => other.Url;
        using var fault = scenario.History.Break("a node is killed");

        await victim.KillAsync();
        victim.Links!.Front!.Retarget(other.Url.Host, other.Url.Port);
        for (var n = 0; n < 5; n++)
        {
            await alice.AppendAsync(TestContext.Current.CancellationToken);
        }

        await alice.SeesEverythingAsync(TimeSpan.FromSeconds(10));
        victim.Links.Front.Retarget(victim.Url.Host, victim.Url.Port);
        await victim.StartAgainAsync();
        fault.Dispose();
        await scenario.JudgeAsync();
    }

    /// <summary>Leaves one worker, started anew with the settings.</summary>
    private async Task<HostProcess> OnlyWorkerAsync((string Key, string Value) setting)
    {
        var (victim, other) = (shared.Cluster.Workers[0], shared.Cluster.Workers[1]);
        await Task.WhenAll(victim.KillAsync(), other.KillAsync());
        await victim.BeginAgainAsync(setting);
        return victim;
    }

    private async Task HealAsync(HostProcess victim)
    {
        await shared.Cluster.Workers[1].StartAgainAsync();
        await victim.StartAgainAsync();
    }

    private Task<long> EventsAsync(string run) =>
        shared.Cluster.ScalarAsync<long>($"select count(*) from pipeline.event_log where run = '{run}'");
}

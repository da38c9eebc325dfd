using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Messages that nobody can read, and commands that are lost, doubled or parked.</summary>
public sealed class CommandFaults(SharedCluster shared)
{
    private BrokerControl Broker => new(shared.Rabbit, shared.Cluster.VirtualHost);

    [Fact]
    public async Task Poison_on_every_queue_is_parked_or_dropped_and_everything_else_flows()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var parked = await Broker.DepthAsync("start-run_error") ?? 0;

        foreach (var queue in await Broker.QueuesAsync())
        {
            await Broker.PublishAsync(queue, "this is no message");
        }

        await Eventually.HoldsAsync(
            "the command that nobody can read is parked", async () => await Broker.DepthAsync("start-run_error") == parked + 1);
        await Eventually.HoldsAsync(
            "no queue but that of parked commands holds anything",
            async () => (await Broker.DepthsAsync()).All(queue => queue.Name == "start-run_error" || queue.Messages == 0));
        await alice.IsServedAsync();
        var run = await alice.AskAsync("think for a long while about the answer");
        await alice.CancelAsync(run);
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_StartRun_that_is_lost_costs_its_run_nothing()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("workers are away, and what waits for them is lost"))
        {
            await Task.WhenAll(shared.Cluster.Workers.Select(worker => worker.KillAsync()));
            await alice.AskAsync();
            await Eventually.HoldsAsync("the command waits", async () => await Broker.DepthAsync("start-run") > 0);
            await Broker.PurgeAsync("start-run");
            await Task.WhenAll(shared.Cluster.Workers.Select(worker => worker.StartAgainAsync()));
        }

        await scenario.JudgeAsync();
    }

    [Theory]
    [InlineData("after-claim")]
    [InlineData("before-ending")]
    public async Task A_run_whose_worker_vanished_is_executed_by_another(string failpoint)
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var (victim, other) = (shared.Cluster.Workers[0], shared.Cluster.Workers[1]);
        using (scenario.History.Break($"a worker dies at {failpoint}"))
        {
            await Task.WhenAll(victim.KillAsync(), other.KillAsync());
            await victim.StartAgainAsync(($"Failpoints:{failpoint}", "kill"));
            await alice.AskAsync();
            await victim.WaitForExitAsync(TimeSpan.FromSeconds(30));
            await other.StartAgainAsync();
            await victim.StartAgainAsync();
        }

        await scenario.JudgeAsync();
    }

    [Theory]
    [InlineData("before-confirm", "throw")]
    [InlineData("after-confirm-before-delete", "throw")]
    [InlineData("before-confirm", "kill")]
    [InlineData("after-confirm-before-delete", "kill")]
    public async Task A_confirm_or_a_DELETE_that_is_lost_is_made_good_and_doubles_nothing(string failpoint, string how)
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var (victim, other) = (shared.Cluster.Nodes[1], shared.Cluster.Nodes[0]);
        using (scenario.History.Break($"a node breaks off at {failpoint}"))
        {
            await victim.KillAsync();
            await victim.BeginAgainAsync(($"Failpoints:{failpoint}", $"{how}@2"));
            alice.Through = () => victim.HasExited ? other.Url : victim.Url;
            for (var n = 0; n < 4; n++)
            {
                await alice.AppendAsync(TestContext.Current.CancellationToken);
            }

            await Eventually.HoldsAsync(
                "nothing is owed to the bus",
                shared.Cluster.OwesNothingAsync,
                TimeSpan.FromSeconds(30));
            await victim.KillAsync();
            await victim.StartAgainAsync();
        }

        await scenario.JudgeAsync();
    }
}

using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>RabbitMQ away, asleep, full or misconfigured: delivery goes on from the log within two seconds, and no host restarts.</summary>
public sealed class BrokerFaults(SharedCluster shared)
{
    private static readonly TimeSpan InTime = TimeSpan.FromSeconds(2);

    private BrokerControl Broker => new(shared.Rabbit, shared.Cluster.VirtualHost);

    [Fact]
    public Task RabbitMQ_killed_and_started_again() =>
        ServesThroughAsync("RabbitMQ is killed", shared.Rabbit.StopAsync, shared.Rabbit.StartAsync);

    [Fact]
    public Task RabbitMQ_asleep_and_awake_again() =>
        ServesThroughAsync("RabbitMQ sleeps", shared.Rabbit.PauseAsync, shared.Rabbit.ResumeAsync);

    [Fact]
    public Task RabbitMQ_s_application_stopped_and_started() =>
        ServesThroughAsync("RabbitMQ's application is stopped", Broker.StopApplicationAsync, Broker.StartApplicationAsync);

    [Fact]
    public Task A_memory_alarm() =>
        ServesThroughAsync("RabbitMQ has a memory alarm", Broker.BeginMemoryAlarmAsync, Broker.EndMemoryAlarmAsync);

    [Fact]
    public Task A_disk_alarm() =>
        ServesThroughAsync("RabbitMQ has a disk alarm", Broker.BeginDiskAlarmAsync, Broker.EndDiskAlarmAsync);

    [Fact]
    public Task Every_connection_closed_by_an_operator() =>
        ServesThroughAsync("an operator closes all connections", Broker.CloseConnectionsAsync, () => Task.CompletedTask);

    [Fact]
    public Task The_nodes_queues_deleted() =>
        ServesThroughAsync("the nodes' queues are deleted", Broker.DeleteNodeQueuesAsync, () => Task.CompletedTask);

    [Fact]
    public Task The_nodes_bindings_deleted() =>
        ServesThroughAsync("the nodes' bindings are deleted", Broker.UnbindNodesAsync, () => Task.CompletedTask);

    [Fact]
    public Task Queues_that_overflow() =>
        ServesThroughAsync("the nodes' queues hold one message", Broker.BoundNodeQueuesAsync, Broker.UnboundNodeQueuesAsync);

    [Fact]
    public Task A_half_open_connection_to_the_broker() => ServesThroughAsync(
        "every connection to the broker is half-open",
        () => OnEachLink(link => link.Forget()),
        () => Task.CompletedTask);

    [Fact]
    public Task A_network_that_loses_what_goes_to_the_broker() => ServesThroughAsync(
        "nothing reaches the broker", () => OnEachLink(link => link.Hold(Flow.Up)), () => OnEachLink(link => link.Heal()));

    [Fact]
    public Task A_network_that_loses_what_comes_from_the_broker() => ServesThroughAsync(
        "nothing comes from the broker", () => OnEachLink(link => link.Hold(Flow.Down)), () => OnEachLink(link => link.Heal()));

    /// <summary>Each event of a while is on every screen within two seconds of its acknowledgement, before, during and after.</summary>
    private async Task ServesThroughAsync(string what, Func<Task> fault, Func<Task> heal)
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        await alice.IsServedAsync();
        var processes = shared.Cluster.Hosts.Select(host => host.ProcessId).ToList();
        using (scenario.History.Break(what))
        {
            await fault();
            try
            {
                for (var n = 0; n < 6; n++)
                {
                    await alice.AppendAsync(TestContext.Current.CancellationToken);
                    await alice.SeesEverythingAsync(InTime);
                }
            }
            finally
            {
                await heal();
            }

            await Eventually.HoldsAsync(
                "every node says that the bus is there again",
                async () => (await Task.WhenAll(shared.Cluster.Nodes.Select(node => node.DependencyAsync("bus")))).All(status => status == "ok"),
                TimeSpan.FromSeconds(60));
            await Eventually.HoldsAsync(
                "the outbox is empty",
                shared.Cluster.OwesNothingAsync,
                TimeSpan.FromSeconds(60));
        }

        await alice.AskAsync();
        await scenario.JudgeAsync();
        Assert.Equal(processes, shared.Cluster.Hosts.Select(host => host.ProcessId));
        Assert.DoesNotContain(shared.Cluster.Hosts, host => host.HasExited);
    }

    private Task OnEachLink(Action<FaultProxy> act)
    {
        foreach (var host in shared.Cluster.Hosts)
        {
            act(host.Links!.Broker);
        }

        return Task.CompletedTask;
    }
}

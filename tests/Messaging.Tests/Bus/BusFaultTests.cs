using System.Diagnostics;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

[Trait("needs", "servers")]
public sealed class BusFaultTests
{
    private const string NobodysPort = "1";
    private static readonly StreamKey Alice = Batches.Stream("alice");

    [Fact]
    public async Task After_a_restart_of_the_broker_everything_goes_on_and_the_heads_are_read_again()
    {
        var broker = await Broker.PrivateAsync();
        await using var server = broker.Server;
        await using var host = await broker.StartHostAsync(bus => bus.SubscribePages<RecordedPages>().HandleRunCommands<RecordedCommands>());
        await Eventually.HoldsAsync("the queues are bound", () => host.Health is { CanConsume: true, LastConfirm: not null });
        var rebounds = host.Pages.Rebounds;

        await server.StopAsync();
        await Eventually.HoldsAsync("the outage is noticed", () => host.Health is { CanConsume: false, CanPublish: false });
        await host.AppendAsync("alice", "while the broker is away");
        Assert.Equal(1, await host.OutboxRowsAsync());

        await server.StartAsync();
        await Eventually.HoldsAsync("publishing goes on", () => host.Health.CanPublish, TimeSpan.FromSeconds(10));
        await Eventually.HoldsAsync("consuming goes on", () => host.Health.CanConsume, TimeSpan.FromSeconds(10));
        Assert.True(host.Pages.Rebounds > rebounds);
        await host.AppendAsync("alice", "after the restart");
        await Eventually.HoldsAsync("the outbox is empty", async () => await host.OutboxRowsAsync() == 0);
        await Eventually.HoldsAsync("the newest event is here", () => host.Pages.Of(Alice).Any(e => e.Position == 2));
    }

    [Fact]
    public async Task A_host_starts_and_stops_while_the_broker_is_away()
    {
        var host = await BusHost.StartAsync(settings =>
        {
            settings["Bus:Transport"] = "rabbitmq";
            settings["Bus:Port"] = NobodysPort;
        });
        Assert.False(host.Health.CanConsume);
        await host.AppendAsync("alice", "kept");
        await Eventually.HoldsAsync("the outage is known", () => !host.Health.CanPublish);
        Assert.Equal(1, await host.OutboxRowsAsync());
        var clock = Stopwatch.StartNew();
        await host.DisposeAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_refused_login_is_tried_again_until_it_is_allowed()
    {
        var broker = await Broker.SharedAsync();
        await broker.Server.ControlAsync("add_user", "late", "secret");
        try
        {
            await using var host = await broker.StartHostAsync(settings: all => (all["Bus:Username"], all["Bus:Password"]) = ("late", "changed"));
            await Eventually.HoldsAsync("the refusal is known", () => !host.Health.CanPublish);

            await broker.Server.ControlAsync("change_password", "late", "changed");
            await broker.AllowAsync("late");

            await Eventually.HoldsAsync("publishing and consuming work", () => host.Health is { CanPublish: true, CanConsume: true });
        }
        finally
        {
            await broker.Server.ControlAsync("delete_user", "late");
        }
    }

    [Fact]
    public async Task A_deleted_queue_is_declared_again()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync();
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds >= 1);

        var rebounds = host.Pages.Rebounds;
        await broker.DeleteQueueAsync((await broker.ListAsync("list_queues", "name")).Single());

        await Eventually.HoldsAsync("the queue is bound again", () => host.Pages.Rebounds > rebounds && host.Health.CanConsume);
        host.HandOver(Batches.Range(Alice, 1, "1"));
        await Eventually.HoldsAsync("pages arrive", () => host.Pages.Of(Alice).Count >= 1);
    }

    [Fact]
    public async Task A_deleted_binding_is_noticed_by_the_silence()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync();
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds >= 1);

        var queue = (await broker.ListAsync("list_queues", "name")).Single();
        var rebounds = host.Pages.Rebounds;
        var wasDegraded = false;
        host.Health.Changed += () => wasDegraded |= host.Health is { CanConsume: false, CanPublish: true };
        await broker.UnbindAsync(Broker.PageExchange, queue);

        await Eventually.HoldsAsync("the bus counts as degraded", () => Volatile.Read(ref wasDegraded), TimeSpan.FromSeconds(8));
        await Eventually.HoldsAsync("a queue is bound again", () => host.Pages.Rebounds > rebounds && host.Health.CanConsume);
        host.HandOver(Batches.Range(Alice, 1, "1"));
        await Eventually.HoldsAsync("pages arrive", () => host.Pages.Of(Alice).Count >= 1);
        Assert.NotEqual(queue, Assert.Single(await broker.ListAsync("list_queues", "name")));
        Assert.Equal(1, host.Logs.Count(2015));
    }

    [Fact]
    public async Task What_was_committed_and_never_handed_over_is_found_by_the_own_sweep()
    {
        await using var host = await BusHost.StartAsync(settings => settings["Failpoints:after-commit-before-publish"] = "throw");

        await Assert.ThrowsAsync<FailpointException>(() => host.AppendAsync("alice", "forgotten"));

        await Eventually.HoldsAsync("the event is here", () => host.Pages.Of(Alice).Count > 0);
        await Eventually.HoldsAsync("the outbox is empty", async () => await host.OutboxRowsAsync() == 0);
    }

    [Fact]
    public async Task While_the_broker_blocks_publishers_consuming_goes_on_and_publishing_recovers()
    {
        var broker = await Broker.PrivateAsync();
        await using var server = broker.Server;
        await using var host = await broker.StartHostAsync(bus => bus.SubscribePages<RecordedPages>().HandleRunCommands<RecordedCommands>());
        await Eventually.HoldsAsync("the queues are bound", () => host.Health is { CanConsume: true, LastConfirm: not null });
        await server.ControlAsync("set_vm_memory_high_watermark", "0");
        await Eventually.HoldsAsync("the outage is noticed", () => !host.Health.CanPublish);
        for (var position = 1; position <= 100; position++)
        {
            host.HandOver(Batches.Range(Alice, position, $"\"{new string('x', 200_000)}\""));
        }

        // The cancellation is published by the broker itself: no publisher could.
        var queue = (await broker.ListAsync("list_queues", "name")).Single(name => name.StartsWith("worker.", StringComparison.Ordinal));
        await server.ControlAsync("eval", broker.Publish(queue, """{"messageType":["urn:message:Pipeline.Contracts:CancelRun"],"message":{"tenant":"t","user":"u","run":"r-1"}}"""));
        await Eventually.HoldsAsync("a command arrives", () => host.Commands.Cancelled.Contains("r-1"));
        await Eventually.HoldsAsync("and is acknowledged", async () => (await broker.ListAsync("list_queues", "name", "messages")).Contains($"{queue}\t0"));
        Assert.True(host.Health.CanConsume);
        Assert.InRange(host.Get<PageStream>().InFlight, 1, new BusOptions().PublishWindow);

        await server.ControlAsync("set_vm_memory_high_watermark", "0.8");
        await Eventually.HoldsAsync(
            "all events are here", () => host.Pages.Of(Alice).Select(e => e.Position).Distinct().Count() == 100, TimeSpan.FromSeconds(30));
        Assert.True(host.Health.CanPublish);
    }

    [Theory]
    [InlineData("before-confirm")]
    [InlineData("after-confirm-before-delete")]
    public async Task What_fails_on_the_way_is_published_again_and_leaves_the_outbox(string failpoint)
    {
        await using var host = await BusHost.StartAsync(settings => settings[$"Failpoints:{failpoint}"] = "throw");

        await host.AppendAsync("alice", "first");

        await Eventually.HoldsAsync("the event is here", () => host.Pages.Of(Alice).Count > 0);
        await Eventually.HoldsAsync("the outbox is empty", async () => await host.OutboxRowsAsync() == 0);
    }

    [Fact]
    public async Task What_a_lost_process_left_in_the_outbox_is_published_by_another()
    {
        await using var lost = await BusHost.StartAsync(settings =>
        {
            settings["Bus:Transport"] = "rabbitmq";
            settings["Bus:Port"] = NobodysPort;
        });
        await lost.AppendAsync("alice", "left behind");
        await using var other = await BusHost.StartAsync(settings => settings["Persistence:ConnectionString"] = $"Data Source={lost.File}");

        await lost.Get<ProcessLease>().StopAsync(TestContext.Current.CancellationToken);

        await Eventually.HoldsAsync("the event is here", () => other.Pages.Of(Alice).Count >= 1);
        await Eventually.HoldsAsync("the outbox is empty", async () => await other.OutboxRowsAsync() == 0);
    }

    [Fact]
    public async Task What_was_appended_inside_someones_own_transaction_is_published_soon()
    {
        await using var host = await BusHost.StartAsync();
        await using var connection = await host.Get<PipelineDatabase>().OpenAsync(TestContext.Current.CancellationToken);
        await using (var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            var thought = new AgentThinking { Tenant = "default", User = "alice", Thread = "t", Run = "r", Text = "mine" };
            await host.Get<Persistence.EventLog>().AppendAsync(transaction, [thought], TestContext.Current.CancellationToken);
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
        }

        await Eventually.HoldsAsync("the event is here", () => host.Pages.Of(Alice).Count >= 1, TimeSpan.FromSeconds(2));
        await Eventually.HoldsAsync("the outbox is empty", async () => await host.OutboxRowsAsync() == 0);
    }
}

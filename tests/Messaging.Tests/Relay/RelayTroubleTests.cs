using MassTransit;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

/// <summary>A broker that takes a part only.</summary>
[Trait("needs", "servers")]
public sealed class RelayTroubleTests
{
    private const int Refused = 2032;
    private static readonly StreamKey Alice = Batches.Stream("alice");

    [Fact]
    public async Task A_refused_message_type_holds_up_neither_pages_nor_other_types_and_is_made_good_later()
    {
        const string Exchange = "Pipeline.Contracts:AgentThinking";
        const int Count = 100;
        var broker = await Broker.SharedAsync();
        await broker.UseAsync(channel => channel.ExchangeDeclareAsync(Exchange, "direct", durable: true, autoDelete: false));
        var started = 0;
        var stock = await broker.StartStockBusAsync(bus => bus.ReceiveEndpoint("someone-elses", endpoint =>
            endpoint.Handler<AgentStarted>(_ => Task.FromResult(Interlocked.Increment(ref started)))));
        await using var host = await broker.StartHostAsync(settings: all =>
        {
            all["Bus:TypedEvents"] = "all";
            all["Persistence:HandoverBytes"] = "1048576";
        });
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds > 0);

        for (var i = 0; i < Count; i++)
        {
            await host.AppendAsync("alice", new string('x', 20_000));
        }

        await Eventually.HoldsAsync("all pages are here", () => Positions(host).Count == Count);
        await Eventually.HoldsAsync("an operator is told", () => host.Logs.Count(Refused) > 0, TimeSpan.FromSeconds(60));
        await host.AppendAsync(new AgentStarted { Tenant = "default", User = "alice", Thread = "t", Run = "s", Agent = "demo" });
        await Eventually.HoldsAsync("its page is here", () => Positions(host).Count == Count + 1, TimeSpan.FromSeconds(5));
        await Eventually.HoldsAsync("the other type is here", () => Volatile.Read(ref started) > 0, TimeSpan.FromSeconds(10));
        Assert.Equal(1, host.Logs.Count(Refused));
        Assert.DoesNotContain(host.Logs.Categories, category => category.StartsWith("MassTransit", StringComparison.Ordinal));

        await broker.UseAsync(channel => channel.ExchangeDeleteAsync(Exchange, ifUnused: false));
        await Eventually.HoldsAsync("the outbox is empty", async () => await host.OutboxRowsAsync() == 0, TimeSpan.FromSeconds(90));
        await stock.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task While_a_page_is_not_confirmed_beacons_skip_numbers_and_no_goodbye_is_said()
    {
        var broker = await Broker.SharedAsync();
        await using var node = await broker.StartHostAsync();
        await Eventually.HoldsAsync("the queue is bound", () => node.Pages.Rebounds > 0);
        var relay = await broker.StartHostAsync(_ => { });
        var id = relay.Get<ProcessIdentity>().Id;
        await Eventually.HoldsAsync("the relay is known", () => node.Pages.Beacons.Any(beacon => beacon.Relay == id));

        await broker.BindFullQueueAsync("someone-elses");
        relay.HandOver(Batches.Range(Alice, 1, "1"));
        await Eventually.HoldsAsync("the beacons go on beyond the page", () => Last(node, id) >= 3);
        await relay.DisposeAsync();

        await broker.UseAsync(channel => channel.QueueDeleteAsync("someone-elses", ifUnused: false, ifEmpty: false));
        await using var later = await broker.StartHostAsync(_ => { });
        await Eventually.HoldsAsync("what came later is here", () => node.Pages.Beacons.Any(beacon => beacon.Relay == later.Get<ProcessIdentity>().Id));
        Assert.DoesNotContain(node.Pages.Beacons, beacon => beacon.Relay == id && beacon.Goodbye);
    }

    [Fact]
    public async Task While_the_hand_over_is_full_beacons_skip_numbers()
    {
        await using var host = await BusHost.StartAsync(settings => settings["Persistence:HandoverBytes"] = "300000");
        var handover = host.Get<OutboxHandover>();
        await Eventually.HoldsAsync("a beacon is here", () => host.Pages.Beacons.Count > 0);
        var range = Batches.Range(Alice, 1, new string('1', 200_000));

        // One thread offers faster than a page is confirmed and its row deleted.
        var ids = 0;
        while (handover.TryOffer(new CommittedBatch(++ids, 7, [range], Command: null)))
        {
        }

        // Ahead of all pages, or between two: the beacon may come before what was taken is a page.
        var pages = host.Pages;
        await Eventually.HoldsAsync(
            "a beacon has a number that no page has",
            () => pages.Beacons.Any(beacon => beacon.Number > 0 && pages.Pages.All(page => page.Number != beacon.Number)));
    }

    private static HashSet<long> Positions(BusHost host) => [.. host.Pages.Of(Alice).Select(e => e.Position)];

    private static long Last(BusHost node, Guid relay) => node.Pages.Beacons.Where(beacon => beacon.Relay == relay).Max(beacon => beacon.Number);
}

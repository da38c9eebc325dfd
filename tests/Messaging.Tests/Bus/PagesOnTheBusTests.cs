using System.Collections.Concurrent;
using System.Globalization;
using MassTransit;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

[Trait("needs", "servers")]
public sealed class PagesOnTheBusTests
{
    private static readonly StreamKey Alice = Batches.Stream("alice");

    [Theory]
    [InlineData("memory")]
    [InlineData("rabbitmq")]
    public async Task A_node_gets_every_page_in_order_after_it_was_bound(string transport)
    {
        const int Count = 2_000;
        await using var host = await StartAsync(transport);
        await Eventually.HoldsAsync("the queue is bound", () => host.Health.CanConsume && host.Pages.Rebounds >= 1);

        for (var position = 1; position <= Count; position++)
        {
            host.HandOver(Batches.Range(Alice, position, Body(position)));
        }

        // A page may come twice; beacons, too, use numbers when this machine is slow.
        await Eventually.HoldsAsync("all events are here", () => host.Pages.Of(Alice).DistinctBy(e => e.Position).Count() >= Count);
        var pages = host.Pages.Pages.DistinctBy(page => page.Number).ToList();
        Assert.Equal(Enumerable.Range(1, Count).Select(p => ((long)p, Body(p))), host.Pages.Of(Alice).DistinctBy(e => e.Position));
        Assert.Equal(pages.Select(page => page.Number).Order(), pages.Select(page => page.Number));
        Assert.All(pages, page => Assert.Equal(7, page.Generation));
        Assert.True(host.Pages.ReboundCameFirst);
        Assert.True(pages.Count < Count / 4, $"{pages.Count} pages for {Count} events handed over at once");
    }

    [Theory]
    [InlineData("memory")]
    [InlineData("rabbitmq")]
    public async Task A_relay_beacons_its_last_number(string transport)
    {
        var broker = transport == "memory" ? null : await Broker.SharedAsync();
        await using var node = await StartAsync(broker);
        await Eventually.HoldsAsync("the queue is bound", () => node.Pages.Rebounds > 0);
        var relay = broker is null ? node : await broker.StartHostAsync(_ => { });
        var pages = node.Pages;

        relay.HandOver(Batches.Range(Alice, 1, Body(1)));
        var id = relay.Get<ProcessIdentity>().Id;
        await Eventually.HoldsAsync("a beacon with the page's number", () => pages.Beacons.Any(b => b.Relay == id && b is { Number: >= 1, Generation: 7 }));
        await relay.DisposeAsync();
    }

    [Fact]
    public async Task A_relay_that_stops_says_goodbye_to_the_others()
    {
        var broker = await Broker.SharedAsync();
        await using var node = await StartAsync(broker);
        await Eventually.HoldsAsync("the queue is bound", () => node.Pages.Rebounds > 0);
        var pages = node.Pages;
        var relay = await broker.StartHostAsync(_ => { });
        var id = relay.Get<ProcessIdentity>().Id;

        relay.HandOver(Batches.Range(Alice, 1, Body(1)));
        await Eventually.HoldsAsync("the page", () => pages.Pages.Any(page => page.Relay == id));
        await relay.DisposeAsync();

        await Eventually.HoldsAsync("the goodbye", () => pages.Beacons.Any(b => b.Relay == id && b is { Number: >= 1, Goodbye: true }));
    }

    [Fact]
    public async Task A_stock_consumer_that_knows_only_the_contracts_reads_the_pages()
    {
        var broker = await Broker.SharedAsync();
        var pages = new ConcurrentQueue<AgentEventPage>();
        var stock = await broker.StartStockBusAsync(bus => bus.ReceiveEndpoint("someone-elses", endpoint =>
            endpoint.Handler<AgentEventPage>(context =>
            {
                pages.Enqueue(context.Message);
                return Task.CompletedTask;
            })));
        await using var host = await broker.StartHostAsync(_ => { });

        host.HandOver(Batches.Range(Alice, 3, """{"a":"ü"}""", """ {"b": [1] }"""));

        await Eventually.HoldsAsync("the page", () => pages.Any(page => page.Streams.Count > 0));
        var read = pages.First(page => page.Streams.Count > 0);
        var stream = Assert.Single(read.Streams);
        Assert.Equal(("7:default:alice", 3L, 1L, 1L, 7L), (stream.Stream, stream.First, stream.Incarnation, read.Number, read.Generation));
        Assert.Equal([10, 12], stream.Lengths);
        Assert.Equal(["""{"a":"ü"}""", """{"b": [1] }"""], read.Events.Select(e => e.GetRawText()));
        await stock.StopAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("none", "")]
    [InlineData("lifecycle", "AgentStarted AgentCompleted")]
    [InlineData("all", "AgentStarted AgentThinking AgentCompleted")]
    public async Task Typed_events_are_published_as_the_setting_says(string setting, string expected)
    {
        var broker = await Broker.SharedAsync();
        var received = new ConcurrentQueue<AgentEvent>();
        var stock = await broker.StartStockBusAsync(bus => bus.ReceiveEndpoint("someone-elses", endpoint =>
        {
            endpoint.ConcurrentMessageLimit = 1;
            Take<AgentStarted>(endpoint, received);
            Take<AgentThinking>(endpoint, received);
            Take<AgentCompleted>(endpoint, received);
        }));
        await using var host = await broker.StartHostAsync(settings: all => all["Bus:TypedEvents"] = setting);
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds > 0);

        host.HandOver(new CommittedRange(Alice, 1, 1,
        [
            Batches.Event(EventTypes.AgentStarted, """{"agent":"demo"}"""),
            Batches.Event(EventTypes.AgentThinking, """{"text":"hm"}"""),
            Batches.Event(EventTypes.AgentCompleted, """{"result":"42"}"""),
        ]));

        var names = expected.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        await Eventually.HoldsAsync("page and typed events", () => host.Pages.Of(Alice).DistinctBy(e => e.Position).Count() == 3 && received.Count >= names.Length);
        await Eventually.HoldsAsync("nothing is held any more", () => !host.Get<OutboxHandover>().Holds(7, 1_000_001));
        Assert.Equal(names.Order(), received.DistinctBy(e => e.Id).Select(e => e.GetType().Name).Order());
        Assert.All(received.OfType<AgentCompleted>(), e => Assert.Equal(("alice", 3L, "42"), (e.User, e.Position, e.Result)));
        await stock.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_message_that_is_no_page_is_dropped_and_the_heads_are_read_again()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync();
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds >= 1);
        var rebounds = host.Pages.Rebounds;
        var stock = await broker.StartStockBusAsync(_ => { });

        var exchange = await stock.GetSendEndpoint(new Uri("exchange:Pipeline.Contracts:AgentEventPage"));
        await exchange.Send(new CancelRun { Tenant = "t", User = "u", Run = "r" }, TestContext.Current.CancellationToken);

        await Eventually.HoldsAsync("the heads are read again", () => host.Pages.Rebounds > rebounds);
        host.HandOver(Batches.Range(Alice, 1, Body(1)));
        await Eventually.HoldsAsync("pages go on", () => host.Pages.Of(Alice).Count >= 1);
        Assert.DoesNotContain(await broker.ListAsync("list_queues", "name"), name => name.EndsWith("_error", StringComparison.Ordinal) || name.EndsWith("_skipped", StringComparison.Ordinal));
        await stock.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_operator_recognises_queues_and_connections()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync(
            bus => bus.SubscribePages<RecordedPages>().HandleRunCommands<RecordedCommands>(), name: "agents-worker");
        await Eventually.HoldsAsync("all queues are consumed", () => host.Health.CanConsume);

        var identity = host.Get<ProcessIdentity>();
        var id = identity.Id.ToString("n")[^8..];
        Assert.Equal(
            [
                $"delivery.{identity.Host}.{id}\tfalse\ttrue\ttrue\tclassic",
                "start-run\ttrue\tfalse\t\tquorum",
                "start-run_error\ttrue\tfalse\t\tquorum",
                $"worker.{identity.Host}.{id}\tfalse\ttrue\ttrue\tclassic",
            ],
            (await broker.ListAsync("list_queues", "name", "durable", "auto_delete", "exclusive", "type"))
                .Select(line => line.Replace("rabbit_classic_queue", "classic", StringComparison.Ordinal).Replace("rabbit_quorum_queue", "quorum", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_process_has_two_connections_of_which_one_consumes()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync(
            bus => bus.SubscribePages<RecordedPages>().HandleRunCommands<RecordedCommands>(), name: "agents-worker");
        await Eventually.HoldsAsync("both work", () => host.Health is { CanConsume: true, LastConfirm: not null });
        var name = $"agents-worker@{host.Get<ProcessIdentity>().Host}";

        var connections = await broker.ConnectionsAsync();
        Assert.Equal([$"{name} consume", $"{name} publish"], connections.Select(connection => connection.Name).Order());
        var consumers = (await broker.ListAsync("list_consumers", "queue_name", "channel_pid")).Select(line => line.Split('\t')[1]);
        var channels = await broker.Server.ControlAsync("list_channels", "pid", "connection", "--no-table-headers", "--silent");
        var consuming = channels.Split('\n').Where(line => consumers.Contains(line.Split('\t')[0])).Select(line => line.Split('\t')[1]).Distinct();
        Assert.Equal([connections.Single(connection => connection.Name == $"{name} consume").Pid], consuming);
    }

    [Fact]
    public async Task A_nodes_queue_is_its_own_and_what_overflows_is_the_oldest()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync(settings: all => all["Bus:NodeQueueBytes"] = "1048576");
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds > 0);
        var line = Assert.Single(await broker.ListAsync("list_queues", "name", "exclusive", "arguments"));
        Assert.Contains("\ttrue\t", line, StringComparison.Ordinal);
        Assert.Contains("{\"x-max-length-bytes\",1048576}", line, StringComparison.Ordinal);
        Assert.Contains("{\"x-overflow\",\"drop-head\"}", line, StringComparison.Ordinal);

        var hold = new ManualResetEventSlim();
        host.Pages.Hold = hold;
        // More than the prefetch and the queue hold, and no more: a consumer that stands still for three seconds is replaced.
        for (var position = 1; position <= 40; position++)
        {
            host.HandOver(Batches.Range(Alice, position, $"\"{new string('x', 200_000)}\""));
        }

        await Eventually.HoldsAsync("all is confirmed", () => !host.Get<OutboxHandover>().Holds(7, 1_000_040));
        hold.Set();
        await Eventually.HoldsAsync("the newest is here", () => host.Pages.Of(Alice).Any(e => e.Position == 40));
        Assert.True(host.Pages.Of(Alice).DistinctBy(e => e.Position).Count() < 40, "nothing was dropped");
    }

    private static void Take<T>(IReceiveEndpointConfigurator endpoint, ConcurrentQueue<AgentEvent> received)
        where T : AgentEvent =>
        endpoint.Handler<T>(context =>
        {
            received.Enqueue(context.Message);
            return Task.CompletedTask;
        });

    private static string Body(int position) => string.Create(CultureInfo.InvariantCulture, $$"""{"n":{{position}}}""");

    private static async Task<BusHost> StartAsync(string transport) =>
        await StartAsync(transport == "memory" ? null : await Broker.SharedAsync());

    private static Task<BusHost> StartAsync(Broker? broker) => broker?.StartHostAsync() ?? BusHost.StartAsync();
}

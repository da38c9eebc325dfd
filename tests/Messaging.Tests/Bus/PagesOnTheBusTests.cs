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
    public async Task A_node_gets_every_page_once_and_in_order_after_it_was_bound(string transport)
    {
        const int Count = 2_000;
        await using var host = await StartAsync(transport);
        await Eventually.HoldsAsync("the queue is bound", () => host.Health.CanConsume && host.Pages.Rebounds == 1);

        for (var position = 1; position <= Count; position++)
        {
            host.HandOver(Batches.Range(Alice, position, Body(position)));
        }

        await Eventually.HoldsAsync("all events are here", () => host.Pages.Of(Alice).Count >= Count);
        Assert.Equal(Enumerable.Range(1, Count).Select(p => ((long)p, Body(p))), host.Pages.Of(Alice));
        Assert.Equal(Enumerable.Range(1, host.Pages.Pages.Count).Select(n => (long)n), host.Pages.Pages.Select(page => page.Number));
        Assert.All(host.Pages.Pages, page => Assert.Equal(7, page.Generation));
        Assert.True(host.Pages.ReboundCameFirst);
        Assert.True(host.Pages.Pages.Count < Count / 4, $"{host.Pages.Pages.Count} pages for {Count} events handed over at once");
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
        await Eventually.HoldsAsync("a beacon with the page's number", () => pages.Beacons.Any(b => b.Relay == id && b is { Number: 1, Generation: 7 }));
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

        await Eventually.HoldsAsync("the goodbye", () => pages.Beacons.Any(b => b.Relay == id && b is { Number: 1, Goodbye: true }));
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
        await Eventually.HoldsAsync("page and typed events", () => host.Pages.Of(Alice).Count == 3 && received.Count >= names.Length);
        await Eventually.HoldsAsync("nothing is held any more", () => !host.Get<OutboxHandover>().Holds(7, 1_000_001));
        Assert.Equal(names.Order(), received.Select(e => e.GetType().Name).Order());
        Assert.All(received.OfType<AgentCompleted>(), e => Assert.Equal(("alice", 3L, "42"), (e.User, e.Position, e.Result)));
        await stock.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_message_that_is_no_page_is_dropped_and_the_heads_are_read_again()
    {
        var broker = await Broker.SharedAsync();
        await using var host = await broker.StartHostAsync();
        await Eventually.HoldsAsync("the queue is bound", () => host.Pages.Rebounds == 1);
        var stock = await broker.StartStockBusAsync(_ => { });

        var exchange = await stock.GetSendEndpoint(new Uri("exchange:Pipeline.Contracts:AgentEventPage"));
        await exchange.Send(new CancelRun { Tenant = "t", User = "u", Run = "r" }, TestContext.Current.CancellationToken);

        await Eventually.HoldsAsync("the heads are read again", () => host.Pages.Rebounds == 2);
        host.HandOver(Batches.Range(Alice, 1, Body(1)));
        await Eventually.HoldsAsync("pages go on", () => host.Pages.Of(Alice).Count == 1);
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
        var connections = await broker.Server.ControlAsync("list_connections", "client_properties");
        Assert.Contains($"agents-worker@{identity.Host} publish", connections, StringComparison.Ordinal);
        Assert.Contains($"agents-worker@{identity.Host} consume", connections, StringComparison.Ordinal);
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

using System.Globalization;
using Pipeline.Contracts;
using Pipeline.Testing;
using RabbitMQ.Client;

namespace Pipeline.Delivery.Tests;

/// <summary>A bus that is connected and brings nothing, on a real broker.</summary>
[Trait("needs", "servers")]
public sealed class SilentBusTests
{
    private const string PageExchange = "Pipeline.Contracts:AgentEventPage";

    // Detection takes four seconds at most; the pass that is the last net comes after eleven at least.
    private static readonly TimeSpan FewSeconds = TimeSpan.FromSeconds(8);

    [Fact]
    public async Task It_is_told_while_events_are_read_from_the_log_and_ends_without_a_restart()
    {
        var server = await Servers.RabbitAsync();
        var virtualHost = await server.CreateVirtualHostAsync();
        await using var node = await TestNode.StartAsync(new()
        {
            ["Bus:Transport"] = "rabbitmq",
            ["Bus:Host"] = server.Host,
            ["Bus:Port"] = server.Port.ToString(CultureInfo.InvariantCulture),
            ["Bus:VirtualHost"] = virtualHost,
            ["Bus:Username"] = server.Username,
            ["Bus:Password"] = server.Password,
            ["Delivery:Canary"] = "00:00:01",
        });
        await Eventually.HoldsAsync("the node is ok", () => IsAsync(node, "ok"));
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("silent"));
        await screen.FrameAsync(FrameTypes.Ready);
        var agent = new Appending(node, "silent");
        var cursors = await agent.AppendAsync(1);
        Assert.Equal(cursors, (await screen.EventsAsync(1)).Select(e => (string)e["cursor"]!));

        var (bus, log) = (await SinceAsync(node, "bus"), await SinceAsync(node, "log"));
        await UnbindAsync(server, virtualHost);
        cursors = await agent.AppendAsync(2);
        Assert.Equal(cursors, (await screen.EventsAsync(2)).Select(e => (string)e["cursor"]!));
        // It may be over before anybody looks.
        await Eventually.HoldsAsync("the bus was degraded", async () => await SinceAsync(node, "bus") > bus, FewSeconds);
        Assert.Equal(log, await SinceAsync(node, "log"));
        cursors = await agent.AppendAsync(3);
        Assert.Equal(cursors, (await screen.EventsAsync(3)).Select(e => (string)e["cursor"]!));
        await Eventually.HoldsAsync("the queue is bound again", () => IsAsync(node, "ok"), FewSeconds);
        cursors = await agent.AppendAsync(1);
        Assert.Equal(cursors, (await screen.EventsAsync(1)).Select(e => (string)e["cursor"]!));
    }

    private static async Task<bool> IsAsync(TestNode node, string bus)
    {
        var dependencies = (await node.GetAsync("/status")).Is(200).Json.GetProperty("dependencies").EnumerateArray()
            .ToDictionary(d => d.GetProperty("name").GetString()!, d => d.GetProperty("status").GetString());
        return dependencies["bus"] == bus && dependencies["log"] == "ok";
    }

    private static async Task<DateTimeOffset> SinceAsync(TestNode node, string name) =>
        (await node.GetAsync("/status")).Is(200).Json.GetProperty("dependencies").EnumerateArray()
            .Single(d => d.GetProperty("name").GetString() == name).GetProperty("since").GetDateTimeOffset();

    /// <summary>Removes the binding of the node's queue to the pages, under its feet.</summary>
    private static async Task UnbindAsync(RabbitServer server, string virtualHost)
    {
        var queue = (await server.ControlAsync("list_queues", "-p", virtualHost, "--no-table-headers", "--silent", "name")).Trim();
        var factory = new ConnectionFactory
        {
            HostName = server.Host, Port = server.Port, VirtualHost = virtualHost, UserName = server.Username, Password = server.Password,
        };
        await using var connection = await factory.CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken);
        await channel.ExchangeUnbindAsync(queue, PageExchange, routingKey: "", cancellationToken: TestContext.Current.CancellationToken);
    }
}

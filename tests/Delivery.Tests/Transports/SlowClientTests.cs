using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>Clients that are slow, stuck or gone without a word hold nothing for long; those that move are waited for.</summary>
public sealed class SlowClientTests
{
    private const int EventBytes = 240_000;

    [Theory]
    [InlineData("")]
    [InlineData("Accept: text/event-stream")]
    public async Task A_reader_over_http_that_takes_nothing_in_is_dropped(string accept)
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:WriteTimeout"] = "00:00:01" }, configure: WithSmallBuffers);
        await new Appending(node, "stuck").AppendAsync(4, new { text = new string('x', EventBytes) });
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var arrivals = Listen(node, "pipeline.delivery.connections", change => _ = change > 0 && came.TrySetResult());
        using var stuck = await RawClient.SendAsync(node, "/v1/events?after=0", "stuck", accept.Length > 0 ? accept : "Accept: */*");

        await came.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await Eventually.HoldsAsync("its connection is gone", () => Connections(node) == 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_slow_reader_that_takes_something_in_gets_frames_that_take_longer_than_the_bound_on_a_write(bool webSocket)
    {
        await using var node = await TestNode.StartAsync(
            new() { ["Delivery:WriteTimeout"] = "00:00:03", ["Delivery:FrameBytes"] = "4000000" }, configure: WithSmallBuffers);
        await new Appending(node, "slow").AppendAsync(4, new { text = new string('x', EventBytes) });
        using var slow = webSocket
            ? await RawClient.UpgradeAsync(node, "after=0", "slow")
            : await RawClient.SendAsync(node, "/v1/events?after=0", "slow");

        Assert.Equal(4 * EventBytes, await slow.ReadSlowlyAsync(4 * EventBytes, bytesPerSecond: 100_000));
    }

    [Fact]
    public async Task Readers_that_take_nothing_in_hold_few_pages_and_none_when_they_are_gone()
    {
        await using var node = await TestNode.StartAsync(
            new() { ["Delivery:WriteTimeout"] = "00:00:01", ["Delivery:ReplayReaders"] = "2" }, configure: WithSmallBuffers);
        await new Appending(node, "many").AppendAsync(6, new { text = new string('x', EventBytes) });
        var replay = node.Services.GetRequiredService<Delivery.Api.LogReplay>();
        var stuck = new List<RawClient>();
        for (var n = 0; n < 4; n++)
        {
            stuck.Add(await RawClient.UpgradeAsync(node, "after=0", "many"));
        }

        await Eventually.HoldsAsync("two have read ahead", () => !CouldGoAhead(replay, 1));
        await Eventually.HoldsAsync("their connections are gone", () => Connections(node) == 0);
        await Eventually.HoldsAsync("so are their pages", () => CouldGoAhead(replay, 2));
        Assert.False(CouldGoAhead(replay, 3));
        stuck.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task What_is_read_ahead_comes_in_frames_of_the_usual_size_and_in_order()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:FrameBytes"] = "8192", ["Delivery:FeedEvents"] = "10" });
        var cursors = await new Appending(node, "long").AppendAsync(500, new { text = new string('x', 100) });
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("long"), "after=0");
        await screen.FrameAsync(FrameTypes.Ready);

        var (came, sizes) = (new List<string>(), new List<int>());
        while (came.Count < cursors.Count)
        {
            var events = (await screen.FrameAsync(FrameTypes.Events))["events"]!.AsArray();
            came.AddRange(events.Select(e => (string)e!["cursor"]!));
            sizes.Add(events.ToJsonString().Length);
        }

        Assert.Equal(cursors, came);
        Assert.All(sizes, size => Assert.InRange(size, 1, 8_192 * 5 / 4));

        // At first it is not known how many events a frame takes.
        Assert.All(sizes[1..^1], size => Assert.InRange(size, 7_000, int.MaxValue));
    }

    [Fact]
    public async Task A_WebSocket_client_that_vanished_without_a_word_is_noticed_by_its_silence()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:Heartbeat"] = "00:00:01" });
        using var vanished = await RawClient.UpgradeAsync(node, "after=0", "vanished");
        await Eventually.HoldsAsync("it is there", () => Connections(node) == 1);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("vanished"));

        await Eventually.HoldsAsync("its connection is gone, and the one that answers pings is not", async () =>
        {
            await screen.FrameAsync(FrameTypes.Heartbeat);
            return Connections(node) == 1;
        });
    }

    [Fact]
    public async Task A_fault_of_the_node_while_it_sends_ends_the_connection()
    {
        await using var node = await TestNode.StartAsync();
        using var fault = Listen(node, "pipeline.delivery.events", _ => throw new InvalidOperationException("a fault"));
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("fault"));
        await screen.FrameAsync(FrameTypes.Ready);
        await new Appending(node, "fault").AppendAsync();

        await Eventually.HoldsAsync("its connection is gone", () => Connections(node) == 0);
        await Assert.ThrowsAnyAsync<System.Net.WebSockets.WebSocketException>(screen.ClosedAsync);
    }

    // Else the system takes megabytes off the node's hands before it has to wait for the client.
    private static void WithSmallBuffers(WebApplicationBuilder builder) => builder.WebHost.UseSockets(sockets =>
        sockets.CreateBoundListenSocket = endPoint =>
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            socket.SendBufferSize = 64 * 1024;
            return socket;
        });

    private static MeterListener Listen(TestNode node, string name, Action<long> measured)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == name && instrument.Meter.Scope == node.Services.GetRequiredService<IMeterFactory>())
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, measurement, _, _) => measured(measurement));
        listener.Start();
        return listener;
    }

    private static bool CouldGoAhead(Delivery.Api.LogReplay replay, int readers)
    {
        var granted = Enumerable.Range(0, readers).Count(_ => replay.TryGoAhead());
        for (var n = 0; n < granted; n++)
        {
            replay.EndAhead();
        }

        return granted == readers;
    }

    private static int Connections(TestNode node) => node.Services.GetRequiredService<Delivery.Api.Connections>().Count;
}

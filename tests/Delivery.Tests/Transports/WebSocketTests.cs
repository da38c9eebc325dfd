using System.Net;
using System.Net.WebSockets;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class WebSocketTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private TestNode Node => shared.Node;

    [Fact]
    public async Task Without_a_cursor_it_is_live_from_now_on()
    {
        var agent = new Appending(Node, "from-now");
        var before = await agent.AppendAsync(2);
        await Node.KnowAsync("from-now");
        await using var screen = await Screen.OpenAsync(Node, Tokens.Of("from-now"));

        var ready = await screen.FrameAsync(FrameTypes.Ready);
        Assert.Equal(before[^1], (string?)ready["cursor"]);
        Assert.Equal(before[^1], (string?)ready["head"]);
        Assert.Equal(ResumeKinds.Live, (string?)ready["resume"]);
        Assert.Equal(15, (int?)ready["heartbeat"]);
        Assert.Empty(ready["degraded"]!.AsArray());

        var later = await agent.AppendAsync(3);
        var events = await screen.EventsAsync(3);
        Assert.Equal(later, events.Select(e => (string?)e["cursor"]));
        Assert.Equal(Subprotocols.V1, screen.SubProtocol);
    }

    [Theory]
    [InlineData(700)]
    [InlineData(3_000)]
    public async Task A_screen_that_comes_back_gets_what_it_missed_once_and_in_order_then_live(int count)
    {
        var user = $"back-{count}";
        var agent = new Appending(Node, user);
        var cursors = new List<string>();
        while (cursors.Count < count)
        {
            cursors.AddRange(await agent.AppendAsync(Math.Min(500, count - cursors.Count)));
        }

        await using var screen = await Screen.OpenAsync(Node, Tokens.Of(user), $"after={cursors[99]}");
        var ready = await screen.FrameAsync(FrameTypes.Ready);
        Assert.Equal(ResumeKinds.Replaying, (string?)ready["resume"]);
        Assert.Equal(cursors[99], (string?)ready["cursor"]);

        var missed = await screen.EventsAsync(count - 100);
        Assert.Equal(cursors[100..], missed.Select(e => (string)e["cursor"]!));
        Assert.Equal(cursors[^1], (string?)(await screen.FrameAsync(FrameTypes.Live))["cursor"]);
        Assert.Equal(await agent.AppendAsync(), (await screen.EventsAsync(1)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task Zero_starts_with_the_oldest_kept_event_and_every_user_sees_only_their_own()
    {
        var mine = await new Appending(Node, "zero").AppendAsync(3);
        await new Appending(Node, "zero-other").AppendAsync(3);
        await using var screen = await Screen.OpenAsync(Node, Tokens.Of("zero"), "after=0");

        Assert.Equal(mine, (await screen.EventsAsync(3)).Select(e => (string)e["cursor"]!));
        await screen.FrameAsync(FrameTypes.Live);
    }

    [Theory]
    [InlineData("zzzzzz_1", ResetReasons.Epoch)]
    [InlineData(null, ResetReasons.Future)]
    public async Task A_cursor_that_is_not_of_this_history_is_reset_by_the_ready_frame(string? cursor, string reason)
    {
        var user = $"reset-{reason}";
        var cursors = await new Appending(Node, user).AppendAsync(2);
        var epoch = cursors[0].Split('_')[0];
        await using var screen = await Screen.OpenAsync(Node, Tokens.Of(user), $"after={cursor ?? $"{epoch}_3"}");

        var ready = await screen.FrameAsync(FrameTypes.Ready);
        Assert.Equal(ResumeKinds.Reset, (string?)ready["resume"]);
        Assert.Equal(reason, (string?)ready["reason"]);
        Assert.Equal($"{epoch}_0", (string?)ready["cursor"]);
        Assert.Equal(cursors, (await screen.EventsAsync(2)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task A_client_id_goes_on_after_its_last_ack_on_a_new_connection()
    {
        var cursors = await new Appending(Node, "acks").AppendAsync(4);
        var token = Tokens.Of("acks");
        await using (var first = await Screen.OpenAsync(Node, token, "after=0&client=phone"))
        {
            await first.EventsAsync(4);
            // What it was never sent, or is not of this history, is no ack.
            await first.SendAsync($"{{\"type\":\"ack\",\"cursor\":\"{cursors[0].Split('_')[0]}_99\"}}");
            await first.SendAsync("{\"type\":\"ack\",\"cursor\":\"zzzzzz_1\"}");
            await first.SendAsync($"{{\"type\":\"ack\",\"cursor\":\"{cursors[1]}\"}}");
            // Nor does what is no ack, or an older one, replace a good one that still waits to be stored.
            await first.SendAsync("{\"type\":\"ack\",\"cursor\":\"0\"}");
            await first.SendAsync("{\"type\":\"ack\",\"cursor\":\"zzzzzz_1\"}");
            await first.SendAsync($"{{\"type\":\"ack\",\"cursor\":\"{cursors[0]}\"}}");
            await first.CloseAsync();
        }

        await Pipeline.Testing.Eventually.HoldsAsync("the ack is stored and the next connection starts there", async () =>
        {
            await using var second = await Screen.OpenAsync(Node, token, "client=phone");
            var ready = await second.FrameAsync(FrameTypes.Ready);
            return (string?)ready["cursor"] == cursors[1]
                && (await second.EventsAsync(2)).Select(e => (string)e["cursor"]!).SequenceEqual(cursors[2..]);
        });
    }

    [Fact]
    public async Task The_first_frame_comes_at_once_when_only_the_log_has_what_was_missed()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:ReadyWait"] = "00:00:05" });
        var cursors = await new Appending(node, "missed").AppendAsync(3);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("missed"), $"after={cursors[0]}");

        var ready = await screen.FrameAsync(FrameTypes.Ready).WaitAsync(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        Assert.Equal((ResumeKinds.Replaying, cursors[^1]), ((string?)ready["resume"], (string?)ready["head"]));
        Assert.Equal(cursors[1..], (await screen.EventsAsync(2)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task What_a_page_brings_reaches_the_socket_from_the_tail_without_a_look_at_the_log()
    {
        await using var node = await TestNode.StartAsync();
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("paged"), "after=0");
        Assert.Equal(ResumeKinds.Live, (string?)(await screen.FrameAsync(FrameTypes.Ready))["resume"]);
        var hub = node.Services.GetRequiredService<Delivery.Api.FeedHub>();
        var generation = (await node.Services.GetRequiredService<LogReader>().ReadHeadsAsync(
            [StreamKey.Of("default", "paged")], TestContext.Current.CancellationToken)).Values.Single().Generation;

        // The log does not have it, so that nothing but the page can have brought it.
        var part = new BusPageStream(StreamKey.Of("default", "paged").Value, 1, 1, ["{\"id\":\"paged\"}"u8.ToArray()]);
        hub.OnPage(new BusPage { Relay = Guid.CreateVersion7(), Number = 1, Goodbye = false, Generation = generation, Streams = [part] });

        Assert.Equal("paged", (string?)(await screen.EventsAsync(1)).Single()["id"]);
    }

    [Fact]
    public async Task The_cursor_of_a_new_run_leads_to_its_first_event()
    {
        var run = (await Node.PostAsync("/v1/threads/t-1/runs", Tokens.Of("runner"), new { input = "hello" })).Is(202).Json;
        await using var screen = await Screen.OpenAsync(Node, Tokens.Of("runner"), $"after={run.GetProperty("cursor").GetString()}");
        var first = (await screen.EventsAsync(1)).Single();
        Assert.Equal(("run_requested", run.GetProperty("run").GetString()), ((string?)first["type"], (string?)first["run"]));
    }

    [Fact]
    public async Task A_newer_connection_of_the_same_client_id_replaces_the_older()
    {
        await using var older = await Screen.OpenAsync(Node, Tokens.Of("twice"), "client=tab");
        await older.FrameAsync(FrameTypes.Ready);
        await using var other = await Screen.OpenAsync(Node, Tokens.Of("twice"), "client=other-tab");
        await using var newer = await Screen.OpenAsync(Node, Tokens.Of("twice"), "client=tab");

        Assert.Equal(CloseCodes.Replaced, await older.ClosedAsync());
        await newer.FrameAsync(FrameTypes.Ready);
        await other.FrameAsync(FrameTypes.Ready);
    }

    [Fact]
    public async Task A_bad_token_as_subprotocol_is_told_by_a_close_code()
    {
        await using var screen = await Screen.OpenAsync(Node, Tokens.Sign(new() { ["sub"] = "u" }, key: new string('x', 32)));

        Assert.Equal(CloseCodes.Unauthorized, await screen.ClosedAsync());
    }

    [Theory]
    [InlineData("/v1/events")]
    [InlineData("/ws")]
    public async Task No_token_is_401_before_the_upgrade_and_a_good_one_in_the_header_is_enough(string path)
    {
        using var refused = new ClientWebSocket();
        refused.Options.CollectHttpResponseDetails = true;
        var address = new UriBuilder(Node.Http.BaseAddress!) { Scheme = "ws", Path = path }.Uri;
        await Assert.ThrowsAsync<WebSocketException>(() => refused.ConnectAsync(address, TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.HttpStatusCode);

        await using var screen = await Screen.OpenBareAsync(
            Node, path, options => options.SetRequestHeader("Authorization", $"Bearer {Tokens.Of("header")}"));
        await screen.FrameAsync(FrameTypes.Ready);
        Assert.Null(screen.SubProtocol);
    }

    [Theory]
    [InlineData("after=nonsense")]
    [InlineData("client=")]
    public async Task A_wrong_parameter_is_400_before_the_upgrade(string query)
    {
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {Tokens.Of("u")}");
        var address = new UriBuilder(Node.Http.BaseAddress!) { Scheme = "ws", Path = "/v1/events", Query = query }.Uri;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(address, TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.BadRequest, socket.HttpStatusCode);
    }

    [Theory]
    [InlineData("http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData(null, HttpStatusCode.SwitchingProtocols)]
    public async Task Pages_of_other_origins_may_not_connect(string? origin, HttpStatusCode expected)
    {
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {Tokens.Of("u")}");
        socket.Options.SetRequestHeader("Origin", origin ?? Node.Http.BaseAddress!.GetLeftPart(UriPartial.Authority));
        var address = new UriBuilder(Node.Http.BaseAddress!) { Scheme = "ws", Path = "/ws" }.Uri;
        await Record.ExceptionAsync(() => socket.ConnectAsync(address, TestContext.Current.CancellationToken));
        Assert.Equal(expected, socket.HttpStatusCode);
    }
}

using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

/// <summary>The handshake never depends on a dependency; what is missed comes when it is back.</summary>
public sealed class DegradedTests
{
    private static readonly TimeSpan LessThanAPass = TimeSpan.FromSeconds(8);

    // Else the node reads all heads often, since the other's relay, on a bus of its own, is never heard.
    private static Dictionary<string, string?> SeesNoOther => new() { ["Persistence:ProcessLease"] = "00:01:00" };

    [Fact]
    public async Task From_a_cold_start_without_its_log_a_node_accepts_says_so_and_catches_up_when_it_comes()
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-cold-").FullName;
        var file = Path.Combine(folder, "later", "pipeline.db");
        await using (var node = await TestNode.StartAsync(new() { ["Persistence:ConnectionString"] = $"Data Source={file}" }, migrate: false))
        {
            await using var screen = await Screen.OpenAsync(node, Tokens.Of("cold"), "after=0");
            await using var fromNow = await Screen.OpenAsync(node, Tokens.Of("cold"));
            await using var ofClient = await Screen.OpenAsync(node, Tokens.Of("cold"), "client=c");

            var ready = await screen.FrameAsync(FrameTypes.Ready);
            Assert.Equal(["log"], ready["degraded"]!.AsArray().Select(name => (string)name!));
            Assert.Equal("0", (string?)ready["cursor"]);
            Assert.True(ready.AsObject().ContainsKey("head") && ready["head"] is null, ready.ToJsonString());
            Assert.Null((string?)(await fromNow.FrameAsync(FrameTypes.Ready))["cursor"]);
            Assert.Null((string?)(await ofClient.FrameAsync(FrameTypes.Ready))["cursor"]);
            foreach (var path in (string[])["/v1/events?after=0", "/v1/events", "/v1/threads/t-1/events"])
            {
                var page = (await node.GetAsync(path, Tokens.Of("cold"))).Is(200).Json;
                Assert.Equal(["log"], page.GetProperty("degraded").EnumerateArray().Select(name => name.GetString()));
                Assert.Equal(JsonValueKind.Null, page.GetProperty("head").ValueKind);
            }

            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await using (var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext())
            {
                await context.Database.MigrateAsync(TestContext.Current.CancellationToken);
            }

            foreach (var each in (Screen[])[screen, fromNow, ofClient])
            {
                // Which of the two comes first is not promised.
                string?[] came = [await each.TextAsync(), await each.TextAsync()];
                Assert.Contains("{\"type\":\"status\",\"degraded\":[]}", came);
                Assert.Contains(came, text => text!.StartsWith("{\"type\":\"live\"", StringComparison.Ordinal));
            }

            var cursors = await new Appending(node, "cold").AppendAsync(2);
            foreach (var each in (Screen[])[screen, fromNow, ofClient])
            {
                Assert.Equal(cursors, (await each.EventsAsync(2)).Select(e => (string)e["cursor"]!));
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Events_of_a_process_that_has_a_lease_and_is_never_heard_are_found_without_a_word_from_it()
    {
        await using var node = await TestNode.StartAsync();
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("unheard"));
        await screen.FrameAsync(FrameTypes.Ready);
        await using var other = await TestNode.StartAsync(
            new() { ["Persistence:ConnectionString"] = node.ConnectionString });
        var cursors = await new Appending(other, "unheard").AppendAsync(3);

        Assert.Equal(cursors, (await screen.EventsAsync(3).WaitAsync(LessThanAPass, TestContext.Current.CancellationToken)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task What_goes_away_while_a_connection_is_open_is_told_by_a_status_frame()
    {
        await using var node = await TestNode.StartAsync();
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("status"));
        await screen.FrameAsync(FrameTypes.Ready);
        var degradation = node.Services.GetRequiredService<Delivery.Api.Degradation>();
        degradation.Report(Delivery.Api.Degradation.Bus, available: false);
        Assert.Equal("[\"bus\"]", (await screen.FrameAsync(FrameTypes.Status))["degraded"]!.ToJsonString());
        degradation.Report(Delivery.Api.Degradation.Bus, available: true);
        Assert.Equal("[]", (await screen.FrameAsync(FrameTypes.Status))["degraded"]!.ToJsonString());
    }

    [Fact]
    public async Task Events_that_no_page_announced_are_found_when_the_queue_was_bound_again()
    {
        await using var node = await TestNode.StartAsync(SeesNoOther);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("silent"));
        await screen.FrameAsync(FrameTypes.Ready);
        await using var other = await TestNode.StartAsync(
            new() { ["Persistence:ConnectionString"] = node.ConnectionString });
        var cursors = await new Appending(other, "silent").AppendAsync(3);
        node.Services.GetRequiredService<Delivery.Api.FeedHub>().OnRebound();

        Assert.Equal(cursors, (await screen.EventsAsync(3).WaitAsync(LessThanAPass, TestContext.Current.CancellationToken)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task A_page_of_a_newer_history_has_the_head_read_and_a_hole_in_the_pages_all_of_them()
    {
        await using var node = await TestNode.StartAsync(SeesNoOther);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("newer"));
        await screen.FrameAsync(FrameTypes.Ready);
        await using var other = await TestNode.StartAsync(new() { ["Persistence:ConnectionString"] = node.ConnectionString });
        var hub = node.Services.GetRequiredService<Delivery.Api.FeedHub>();
        var relay = Guid.CreateVersion7();

        var cursors = await new Appending(other, "newer").AppendAsync(1);
        var part = new BusPageStream(StreamKey.Of("default", "newer").Value, Incarnation: 1, First: 1, Bodies: []);
        hub.OnPage(new BusPage { Relay = relay, Number = 1, Goodbye = false, Generation = long.MaxValue, Streams = [part] });
        Assert.Equal(cursors, (await screen.EventsAsync(1).WaitAsync(LessThanAPass, TestContext.Current.CancellationToken)).Select(e => (string)e["cursor"]!));

        cursors = await new Appending(other, "newer", "r-2").AppendAsync(1);
        hub.OnPage(new BusPage { Relay = relay, Number = 3, Goodbye = true, Generation = 1, Streams = [] });
        Assert.Equal(cursors, (await screen.EventsAsync(1).WaitAsync(LessThanAPass, TestContext.Current.CancellationToken)).Select(e => (string)e["cursor"]!));
    }
}

using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>A discontinuity is always told, on every transport (PROTOCOL.md, "Server frames").</summary>
public sealed class ResetTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private TestNode Node => shared.Node;

    [Theory]
    [InlineData("erase")]
    [InlineData("new-epoch")]
    public async Task An_open_connection_is_told_when_its_history_ends_and_goes_on_in_the_new_one(string command)
    {
        await using var node = await TestNode.StartAsync();
        var before = await new Appending(node, "u").AppendAsync(2);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("u"), $"after={before[^1]}");
        await screen.FrameAsync(FrameTypes.Ready);
        using var sse = await SseTests.OpenAsync(node, "u", $"after={before[^1]}");
        await using var messages = SseTests.Messages(sse);
        await SseTests.NextAsync(messages, FrameTypes.Ready);

        var admin = node.Services.GetRequiredService<LogAdmin>();
        await (command == "erase"
            ? admin.EraseAsync(StreamKey.Of("default", "u"), TestContext.Current.CancellationToken)
            : admin.BeginEpochAsync(TestContext.Current.CancellationToken));
        var after = await new Appending(node, "u", "r-2").AppendAsync(1);
        Assert.NotEqual(before[0].Split('_')[0], after[0].Split('_')[0]);

        var kept = command == "erase" ? 0 : 2;
        var reset = await screen.FrameAsync(FrameTypes.Reset);
        Assert.Equal((ResetReasons.Epoch, $"{after[0].Split('_')[0]}_0"), ((string?)reset["reason"], (string?)reset["cursor"]));
        Assert.Equal(after[0], (string?)(await screen.EventsAsync(kept + 1))[^1]["cursor"]);

        var message = await SseTests.NextAsync(messages, FrameTypes.Reset);
        Assert.Equal((string?)reset["cursor"], message.EventId);
        for (var position = 1; position <= kept + 1; position++)
        {
            // Where the head was read before the append, it was live in between.
            var next = await SseTests.NextAsync(messages, SseParser.EventTypeDefault);
            Assert.Equal($"{after[0].Split('_')[0]}_{position}", next.EventId);
        }
    }

    [Fact]
    public async Task A_cursor_that_retention_overtook_is_expired_on_every_transport_and_starts_before_the_oldest_kept()
    {
        await using var node = await TestNode.StartAsync();
        var cursors = await new Appending(node, "u").AppendAsync(5);

        // Pages come in order: behind another's, that of these events can't bring back what is trimmed.
        await using (var behind = await Screen.OpenAsync(node, Tokens.Of("behind")))
        {
            await behind.FrameAsync(FrameTypes.Ready);
            await new Appending(node, "behind").AppendAsync();
            await behind.EventsAsync(1);
        }

        await using (var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext())
        {
            await context.Database.ExecuteSqlRawAsync(
                "update stream_head set trimmed = 3; delete from event_log where position <= 3", TestContext.Current.CancellationToken);
        }

        await IsResetEverywhereAsync(node, "u", cursors[0], ResetReasons.Expired, cursors[2], cursors[3..]);
    }

    [Fact]
    public async Task Another_users_real_cursor_is_a_reset_and_shows_nothing_of_theirs()
    {
        var theirs = await new Appending(Node, "them").AppendAsync(3);
        var mine = await new Appending(Node, "me").AppendAsync(2);
        await IsResetEverywhereAsync(Node, "me", theirs[1], ResetReasons.Epoch, $"{mine[0].Split('_')[0]}_0", mine);
    }

    [Fact]
    public async Task A_clients_stored_ack_of_a_former_history_is_a_reset()
    {
        await using var node = await TestNode.StartAsync();
        var before = await new Appending(node, "u").AppendAsync(2);
        (await node.GetAsync($"/v1/events?client=c&after={before[1]}", Tokens.Of("u"))).Is(200);
        await Eventually.HoldsAsync("the ack is stored", async () =>
            (await node.GetAsync("/v1/events?client=c&limit=1", Tokens.Of("u"))).Json.GetProperty("cursor").GetString() == before[1]
            && await node.Services.GetRequiredService<AckStore>().ReadAsync(StreamKey.Of("default", "u"), "c", TestContext.Current.CancellationToken) is not null);
        await node.Services.GetRequiredService<LogAdmin>().BeginEpochAsync(TestContext.Current.CancellationToken);
        var after = await new Appending(node, "u", "r-2").AppendAsync(1);

        await Eventually.HoldsAsync("the node knows the new history", async () =>
            (await node.GetAsync("/v1/events", Tokens.Of("u"))).Json.GetProperty("cursor").GetString() == after[0]);
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("u"), "client=c");
        var ready = await screen.FrameAsync(FrameTypes.Ready);
        Assert.Equal((ResumeKinds.Reset, ResetReasons.Epoch), ((string?)ready["resume"], (string?)ready["reason"]));
        Assert.Equal(after[0], (string?)(await screen.EventsAsync(3))[^1]["cursor"]);
    }

    private static async Task IsResetEverywhereAsync(
        TestNode node, string user, string given, string reason, string cursor, List<string> rest)
    {
        await using var screen = await Screen.OpenAsync(node, Tokens.Of(user), $"after={given}");
        var ready = await screen.FrameAsync(FrameTypes.Ready);
        Assert.Equal((ResumeKinds.Reset, reason, cursor), ((string?)ready["resume"], (string?)ready["reason"], (string?)ready["cursor"]));
        Assert.Equal(rest, (await screen.EventsAsync(rest.Count)).Select(e => (string)e["cursor"]!));

        using var sse = await SseTests.OpenAsync(node, user, $"after={given}");
        await using var messages = SseTests.Messages(sse);
        var message = await SseTests.NextAsync(messages, FrameTypes.Ready);
        Assert.Equal((reason, cursor), ((string?)JsonNode.Parse(message.Data)!["reason"], message.EventId));
        foreach (var each in rest)
        {
            await SseTests.IsEventAsync(messages, each);
        }

        foreach (var path in (string[])["/v1/events", "/v1/threads/t-1/events"])
        {
            var page = (await node.GetAsync($"{path}?after={given}", Tokens.Of(user))).Is(200).Json;
            Assert.Equal((ResumeKinds.Reset, reason), (page.GetProperty("resume").GetString(), page.GetProperty("reason").GetString()));
            Assert.Equal(cursor, page.GetProperty("after").GetString());
            Assert.Equal(rest, page.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("cursor").GetString()!));
        }
    }
}

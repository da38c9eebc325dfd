using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>PROTOCOL.md, "JSON".</summary>
public sealed class JsonTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private TestNode Node => shared.Node;

    [Fact]
    public async Task Pages_of_a_limit_follow_each_other_to_the_head()
    {
        var cursors = await new Appending(Node, "pages").AppendAsync(5);
        var first = await GetAsync("pages", "after=0&limit=3");
        Assert.Equal(cursors[..3], Cursors(first));
        Assert.Equal(
            ("0", cursors[2], cursors[4], ResumeKinds.Replaying),
            (Text(first, "after"), Text(first, "cursor"), Text(first, "head"), Text(first, "resume")));
        Assert.Empty(first.GetProperty("degraded").EnumerateArray());
        Assert.False(first.TryGetProperty("reason", out _));

        var second = await GetAsync("pages", $"after={cursors[2]}&limit=3");
        Assert.Equal(cursors[3..], Cursors(second));
        Assert.Equal((cursors[2], cursors[4], ResumeKinds.Live), (Text(second, "after"), Text(second, "cursor"), Text(second, "resume")));
    }

    [Fact]
    public async Task Without_a_cursor_the_head_comes_at_once_and_a_new_user_has_one_too()
    {
        var fresh = await GetAsync("json-fresh", "wait=25");
        Assert.EndsWith("_0", Text(fresh, "cursor"), StringComparison.Ordinal);
        var cursors = await new Appending(Node, "json-now").AppendAsync(2);
        await Node.KnowAsync("json-now");
        var now = await GetAsync("json-now", "wait=25");
        Assert.Empty(Cursors(now));
        Assert.Equal(
            (cursors[^1], cursors[^1], ResumeKinds.Live), (Text(now, "cursor"), Text(now, "head"), Text(now, "resume")));
    }

    [Fact]
    public async Task A_long_poll_waits_for_the_next_event_and_no_longer_than_asked()
    {
        var agent = new Appending(Node, "poll");
        var cursor = (await agent.AppendAsync()).Single();
        var clock = Stopwatch.StartNew();
        var empty = await GetAsync("poll", $"after={cursor}&wait=1");
        Assert.True(clock.Elapsed >= TimeSpan.FromSeconds(0.9), $"answered after {clock.Elapsed}");
        Assert.Empty(Cursors(empty));
        Assert.Equal(cursor, Text(empty, "cursor"));

        var waiting = GetAsync("poll", $"after={cursor}&wait=25");
        await Eventually.HoldsAsync("the poll is there", () => Node.Services.GetRequiredService<Delivery.Api.Connections>().Count > 0);
        var next = await agent.AppendAsync(2);
        var page = await waiting;
        Assert.Equal(next[0], Cursors(page)[0]);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("zzzzzz_5", ResetReasons.Epoch)]
    [InlineData(null, ResetReasons.Future)]
    public async Task A_reset_says_why_and_starts_over_with_the_oldest(string? cursor, string reason)
    {
        var cursors = await new Appending(Node, $"json-{reason}").AppendAsync(2);
        var epoch = cursors[0].Split('_')[0];
        var page = await GetAsync($"json-{reason}", $"after={cursor ?? $"{epoch}_9"}&wait=25");
        Assert.Equal(
            (ResumeKinds.Reset, reason, $"{epoch}_0"), (Text(page, "resume"), Text(page, "reason"), Text(page, "after")));
        Assert.Equal(cursors, Cursors(page));
    }

    [Fact]
    public async Task A_cursor_that_comes_with_a_client_id_is_its_ack()
    {
        var cursors = await new Appending(Node, "json-ack").AppendAsync(3);
        await GetAsync("json-ack", $"client=c&after={cursors[0]}");
        await Eventually.HoldsAsync("the ack is stored", async () =>
            Cursors(await GetAsync("json-ack", "client=c")).SequenceEqual(cursors[1..]));
    }

    [Theory]
    [InlineData("after=nonsense", "after")]
    [InlineData("after=", "after")]
    [InlineData("after=0&after=0", "after")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=ten", "limit")]
    [InlineData("wait=26", "wait")]
    [InlineData("wait=-1", "wait")]
    [InlineData("client=", "client")]
    [InlineData("client=%00", "client")]
    public async Task A_wrong_parameter_is_400_and_named(string query, string field) =>
        Assert.Equal(field, (await Node.GetAsync($"/v1/events?{query}", Tokens.Of("u"))).IsProblem(400).Field);

    [Fact]
    public async Task A_thread_is_its_part_of_the_stream()
    {
        var token = Tokens.Of("agent", scope: "events:append");
        var events = Enumerable.Range(1, 6).Select(i =>
        {
            var @event = Bodies.Event(run: $"r-{i}");
            @event["thread"] = i % 2 == 0 ? "even" : "odd/1";
            return @event;
        });
        (await Node.PostAsync("/v1/events", token, Bodies.Append("threads", [.. events]))).Is(200);

        var even = await GetAsync("threads", "after=0", "/v1/threads/even/events");
        Assert.Equal([2, 4, 6], Positions(even));
        Assert.Equal((Text(even, "head"), ResumeKinds.Live), (Text(even, "cursor"), Text(even, "resume")));
        Assert.Equal([1, 3, 5], Positions(await GetAsync("threads", "", "/v1/threads/odd%2F1/events")));

        var first = await GetAsync("threads", "limit=1", "/v1/threads/even/events");
        Assert.Equal([2], Positions(first));
        Assert.Equal(ResumeKinds.Replaying, Text(first, "resume"));
        Assert.Equal([4, 6], Positions(await GetAsync("threads", $"after={Text(first, "cursor")}", "/v1/threads/even/events")));

        var reset = await GetAsync("threads", "after=zzzzzz_4", "/v1/threads/even/events");
        Assert.Equal((ResumeKinds.Reset, ResetReasons.Epoch), (Text(reset, "resume"), Text(reset, "reason")));
        Assert.Equal([2, 4, 6], Positions(reset));
        Assert.Empty(Positions(await GetAsync("threads", "", "/v1/threads/none/events")));
    }

    private async Task<JsonElement> GetAsync(string user, string query, string path = "/v1/events") =>
        (await Node.GetAsync($"{path}?{query}", Tokens.Of(user))).Is(200).Json;

    private static string? Text(JsonElement page, string name) => page.GetProperty(name).GetString();

    private static List<string> Cursors(JsonElement page) =>
        [.. page.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("cursor").GetString()!)];

    private static List<int> Positions(JsonElement page) =>
        [.. Cursors(page).Select(cursor => int.Parse(cursor.Split('_')[1], System.Globalization.CultureInfo.InvariantCulture))];
}

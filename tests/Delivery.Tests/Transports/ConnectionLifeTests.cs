using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>How connections end, and that they cost only so much while they last.</summary>
public sealed class ConnectionLifeTests
{
    [Fact]
    public async Task A_stopping_node_tells_every_client_to_come_back()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:DrainTime"] = "00:00:00.5" });
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("drain"));
        await screen.FrameAsync(FrameTypes.Ready);
        using var sse = await OpenSseAsync(node, "drain");
        var poll = node.GetAsync("/v1/events?after=0&wait=25", Tokens.Of("drain"));

        node.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        Assert.Equal(CloseCodes.Restart, await screen.ClosedAsync());
        await sse.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        (await poll).Is(200);
    }

    [Fact]
    public async Task A_full_node_sends_clients_elsewhere()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:MaxConnections"] = "1" });
        await using var first = await Screen.OpenAsync(node, Tokens.Of("full"));
        await first.FrameAsync(FrameTypes.Ready);

        await using var second = await Screen.OpenAsync(node, Tokens.Of("full"));
        Assert.Equal(CloseCodes.Overload, await second.ClosedAsync());
        using var sse = await OpenSseAsync(node, "full");
        Assert.Matches("^retry: [0-9]{4}\n\n$", await sse.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        foreach (var path in (string[])["/v1/events?after=0", "/v1/events?after=0&wait=25", "/v1/threads/t-1/events"])
        {
            Assert.NotNull((await node.GetAsync(path, Tokens.Of("full"))).IsProblem(503).Headers.RetryAfter);
        }

        await first.CloseAsync();
        await Eventually.HoldsAsync("there is room again", async () =>
        {
            await using var third = await Screen.OpenAsync(node, Tokens.Of("full"));
            return await third.TextAsync() is not null;
        });
    }

    [Fact]
    public async Task One_user_has_only_so_many_connections_and_a_newer_one_of_a_client_takes_the_place_of_the_older()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:MaxConnectionsPerUser"] = "1" });
        await using var first = await Screen.OpenAsync(node, Tokens.Of("greedy"), "client=c");
        await first.FrameAsync(FrameTypes.Ready);
        await using var second = await Screen.OpenAsync(node, Tokens.Of("greedy"), "client=d");
        Assert.Equal(CloseCodes.Overload, await second.ClosedAsync());
        await using var other = await Screen.OpenAsync(node, Tokens.Of("modest"));
        await other.FrameAsync(FrameTypes.Ready);

        await using var again = await Screen.OpenAsync(node, Tokens.Of("greedy"), "client=c");
        await again.FrameAsync(FrameTypes.Ready);
        Assert.Equal(CloseCodes.Replaced, await first.ClosedAsync());
        Assert.Equal(2, Connections(node));
    }

    [Fact]
    public async Task While_a_balancer_learns_that_a_node_stops_connections_stay_and_new_ones_are_served()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:DrainDelay"] = "00:00:05", ["Delivery:DrainTime"] = "00:00:00" });
        await using var open = await Screen.OpenAsync(node, Tokens.Of("drain"));
        await open.FrameAsync(FrameTypes.Ready);
        node.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        await using var late = await Screen.OpenAsync(node, Tokens.Of("drain"));
        await late.FrameAsync(FrameTypes.Ready);
        var cursors = await new Appending(node, "drain").AppendAsync();
        foreach (var each in (Screen[])[open, late])
        {
            Assert.Equal(cursors, (await each.EventsAsync(1)).Select(e => (string)e["cursor"]!));
            Assert.Equal(CloseCodes.Restart, await each.ClosedAsync());
        }
    }

    [Fact]
    public async Task The_end_of_the_token_ends_the_connection_unless_a_fresh_one_comes_in_time()
    {
        await using var node = await TestNode.StartAsync(new() { ["Auth:ClockSkew"] = "00:00:00" });
        var brief = Tokens.Sign(new() { ["sub"] = "brief" }, lifetime: TimeSpan.FromSeconds(6));
        await using var ends = await Screen.OpenAsync(node, brief);
        await using var renewed = await Screen.OpenAsync(node, brief);
        await renewed.SendAsync($"{{\"type\":\"auth\",\"token\":\"{Tokens.Of("brief")}\"}}");

        Assert.Equal(CloseCodes.Unauthorized, await ends.ClosedAsync());
        var cursors = await new Appending(node, "brief").AppendAsync();
        await renewed.FrameAsync(FrameTypes.Ready);
        Assert.Equal(cursors, (await renewed.EventsAsync(1)).Select(e => (string)e["cursor"]!));

        await renewed.SendAsync($"{{\"type\":\"auth\",\"token\":\"{Tokens.Of("somebody-else")}\"}}");
        Assert.Equal(CloseCodes.Forbidden, await renewed.ClosedAsync());
        await using var bad = await Screen.OpenAsync(node, Tokens.Of("brief"));
        await bad.SendAsync("{\"type\":\"auth\",\"token\":\"nonsense\"}");
        Assert.Equal(CloseCodes.Unauthorized, await bad.ClosedAsync());
    }

    [Fact]
    public async Task An_idle_connection_gets_heartbeats_with_its_cursor()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:Heartbeat"] = "00:00:01" });
        var cursor = (await new Appending(node, "idle").AppendAsync()).Single();
        await node.KnowAsync("idle");
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("idle"));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(cursor, (string?)(await screen.FrameAsync(FrameTypes.Heartbeat))["cursor"]);
        }
    }

    [Fact]
    public async Task A_client_that_never_reads_is_dropped_and_others_do_not_notice()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:WriteTimeout"] = "00:00:02" });
        using var stuck = await RawClient.UpgradeAsync(node, "after=0", "stuck");
        var agent = new Appending(node, "stuck");
        await using var screen = await Screen.OpenAsync(node, Tokens.Of("stuck"), "after=0");
        var reading = screen.EventsAsync(20);
        var text = new { text = new string('x', 200_000) };
        for (var i = 0; i < 20; i++)
        {
            await agent.AppendAsync(1, text);
        }

        Assert.Equal(20, (await reading).Count);
        await Eventually.HoldsAsync("the stuck client's connection is gone", () => Connections(node) == 1);
    }

    private static int Connections(TestNode node) =>
        node.Services.GetRequiredService<Delivery.Api.Connections>().Count;

    private static async Task<HttpResponseMessage> OpenSseAsync(TestNode node, string user)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/events");
        request.Headers.Add("Accept", "text/event-stream");
        request.Headers.Add("Authorization", $"Bearer {Tokens.Of(user)}");
        return await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}

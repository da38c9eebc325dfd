using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>A reading over connections that come and go.</summary>
public sealed class ReadingTests
{
    [Fact]
    public async Task Events_come_once_and_in_order_over_connections_that_break_off_repeat_and_skip()
    {
        await using var world = new ReadingWorld();
        (await world.ConnectionAsync(1)).Send(Frames.Ready("0"), Frames.Events(1, 2), Frames.Events(2, 3)).End(Ending.Lost);
        var second = await world.ConnectionAsync(2);
        Assert.Equal(Frames.At(3), second.Opening.After);
        second.Send(Frames.Ready(Frames.At(3)), Frames.Events(5));
        var third = await world.ConnectionAsync(3);
        Assert.Equal(Frames.At(3), third.Opening.After);
        third.Send(Frames.Ready(Frames.At(3)), Frames.Events(4, 5), Frames.Live(Frames.At(5)));

        Assert.Equal([1, 2, 3, 4, 5], await world.TakeAsync(5));
        Assert.True(second.IsClosed);
    }

    [Fact]
    public async Task The_state_tells_each_phase()
    {
        await using var world = new ReadingWorld(after: Frames.At(2), jitter: 1);
        var first = await world.ConnectionAsync(1);
        first.Send(Frames.Ready(Frames.At(2), head: Frames.At(5)), Frames.Events(3), new Frame { Type = FrameTypes.Status, Degraded = ["log"] });
        first.Send(new Frame { Type = FrameTypes.Status, Degraded = [] }, Frames.Events(4, 5), Frames.Live(Frames.At(5)));
        await world.TakeAsync(3);
        await ReadingWorld.UntilNowAsync("it is live", () => world.Board.State.Status == ClientStatus.Live);
        first.End(CloseCodes.Restart);
        await ReadingWorld.UntilNowAsync("it is offline", () => world.Board.State.Status == ClientStatus.Offline);
        Assert.Equal((world.Time.GetUtcNow() + TimeSpan.FromSeconds(0.5), "ended"), (world.Board.State.RetryAt, world.Board.State.Reason));
        await world.StopAsync();

        Assert.Equal(
            [
                (ClientStatus.Connecting, null), (ClientStatus.Replaying, null), (ClientStatus.Replaying, 2), (ClientStatus.Degraded, 2),
                (ClientStatus.Replaying, 2), (ClientStatus.Replaying, 0), (ClientStatus.Live, 0), (ClientStatus.Offline, null), (ClientStatus.Closed, (long?)null),
            ],
            world.States.Select(state => (state.Status, state.Behind)));
        Assert.Equal(["log"], world.States[3].Degraded);
    }

    [Fact]
    public async Task A_connection_that_is_silent_for_two_heartbeats_and_two_seconds_is_given_up()
    {
        await using var world = new ReadingWorld();
        var silent = (await world.ConnectionAsync(1)).Send(Frames.Ready("0", heartbeat: 10), Frames.Events(1));
        await world.TakeAsync(1);
        await IsGivenUpAfterAsync(world, silent, seconds: 22);
        await world.ConnectionAsync(2);
    }

    [Fact]
    public async Task A_connection_that_never_gets_ready_is_given_up_after_ten_seconds_and_twice_is_the_transports_fault()
    {
        await using var world = new ReadingWorld();
        await IsGivenUpAfterAsync(world, await world.ConnectionAsync(1), seconds: 10);
        await IsGivenUpAfterAsync(world, await world.ConnectionAsync(2), seconds: 10);
        Assert.Equal(Transports.Sse, (await world.ConnectionAsync(3)).Opening.Transport);
    }

    [Fact]
    public async Task A_slow_consumer_is_not_taken_for_a_silent_service()
    {
        await using var world = new ReadingWorld(readAhead: 1);
        var connection = (await world.ConnectionAsync(1)).Send(Frames.Ready("0", heartbeat: 1), Frames.Events(1, 2, 3));
        await world.TakeAsync(1);
        await ReadingWorld.UntilNowAsync("the consumer is waited for", () => !connection.IsIdle && world.Board.State.Status == ClientStatus.Replaying);
        world.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal([2, 3], await world.TakeAsync(2));
        connection.Send(Frames.Events(4));
        Assert.Equal([4], await world.TakeAsync(1));
    }

    [Fact]
    public async Task Attempts_are_at_least_a_quarter_of_a_second_apart_whatever_the_chance()
    {
        await using var world = new ReadingWorld(jitter: 0);
        world.Refusal = _ => new Ending(Ending.Lost, "lost");
        await world.UntilAsync("there are ten attempts", () => world.Opened.Count >= 10);
        Assert.True(world.Opened[9] - world.Time.Start >= 9 * TimeSpan.FromSeconds(0.25));
    }

    [Fact]
    public async Task A_service_that_is_away_for_an_hour_is_not_stormed()
    {
        await using var world = new ReadingWorld(jitter: 0.5);
        world.Refusal = _ => new Ending(Ending.Lost, "lost");
        await world.UntilAsync("an hour is over", () => world.Time.GetUtcNow() - world.Time.Start > TimeSpan.FromHours(1), step: 30);
        Assert.InRange(world.Opened.Count, 20, 910);
    }

    [Fact]
    public async Task A_refused_token_is_renewed_at_once_and_the_second_refusal_closes()
    {
        await using var world = new ReadingWorld();
        var token = 0;
        world.Token = () => $"token-{++token}";
        var first = await world.ConnectionAsync(1);
        first.End(CloseCodes.Unauthorized);
        var second = await world.ConnectionAsync(2);
        Assert.NotEqual(first.Opening.Token, second.Opening.Token);
        second.End(CloseCodes.Unauthorized);

        var closed = await Assert.ThrowsAsync<AgentEventsClosedException>(world.ItemAsync);
        Assert.Equal(ClosedReasons.Token, closed.Reason);
        await ReadingWorld.UntilNowAsync("the state tells it", () => world.Board.State is { Status: ClientStatus.Closed, Reason: ClosedReasons.Token });
    }

    [Fact]
    public async Task A_token_that_was_lost_with_the_network_and_ended_meanwhile_is_no_second_refusal()
    {
        await using var world = new ReadingWorld();
        var token = 0;
        world.Token = () => $"token-{++token}";
        (await world.ConnectionAsync(1)).End(CloseCodes.Unauthorized);
        var second = await world.ConnectionAsync(2);
        world.Refusal = _ => new Ending(Ending.Lost, "lost");
        second.End(Ending.Lost);
        var lost = world.Time.GetUtcNow();
        await world.UntilAsync("a minute is over", () => world.Time.GetUtcNow() - lost > TimeSpan.FromMinutes(1), step: 1);
        world.Refusal = _ => null;
        var third = await world.ConnectionAsync(3);
        Assert.Equal(second.Opening.Token, third.Opening.Token);
        third.End(CloseCodes.Unauthorized);
        Assert.Equal("token-3", (await world.ConnectionAsync(4)).Opening.Token);
    }

    [Fact]
    public async Task A_provider_that_fails_is_asked_again_and_one_that_has_no_token_closes()
    {
        await using var world = new ReadingWorld();
        var first = await world.ConnectionAsync(1);
        world.Token = () => throw new HttpRequestException("the issuer is away");
        first.End(CloseCodes.Unauthorized);
        await world.UntilAsync("it is offline", () => world.Board.State.Reason == "the token provider failed");
        world.Token = () => throw new TokenUnavailableException("sign in again");
        await world.UntilAsync("it is closed", () => world.Board.State.Status == ClientStatus.Closed);
        var closed = await Assert.ThrowsAsync<AgentEventsClosedException>(world.ItemAsync);
        Assert.Equal(ClosedReasons.Token, closed.Reason);
        Assert.Single(world.Opened);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_token_that_ends_is_renewed_in_band_or_else_by_another_connection(bool inBand)
    {
        await using var world = new ReadingWorld { TakesTokens = inBand };
        var first = (await world.ConnectionAsync(1)).Send(Frames.Ready("0"), Frames.Events(1));
        var ends = (world.Time.GetUtcNow() + TimeSpan.FromSeconds(10)).ToUnixTimeSeconds();
        world.Token = () => $"e30.{System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes($"{{\"exp\":{ends}}}"))}.c2ln";
        first.End(CloseCodes.Unauthorized);
        var second = (await world.ConnectionAsync(2)).Send(Frames.Ready(Frames.At(1)), Frames.Events(2));
        await world.TakeAsync(2);
        world.Token = () => "fresh";

        await world.UntilAsync("the fresh token is told", () => second.Renewed.Count > 0);
        Assert.Equal("fresh", second.Renewed[0]);
        Assert.True(world.Time.GetUtcNow().ToUnixTimeSeconds() < ends);
        if (!inBand)
        {
            var third = (await world.ConnectionAsync(3)).Send(Frames.Ready(Frames.At(2)), Frames.Events(3));
            Assert.Equal(("fresh", Frames.At(2)), (third.Opening.Token, third.Opening.After));
            Assert.Equal([3], await world.TakeAsync(1));
            Assert.True(second.IsClosed);
            Assert.DoesNotContain(world.States, state => state.Status == ClientStatus.Offline && state.Reason != "ended");
        }
    }

    [Fact]
    public async Task Acks_go_at_most_once_a_second_and_what_is_left_goes_with_the_farewell()
    {
        await using var world = new ReadingWorld();
        var connection = (await world.ConnectionAsync(1)).Send(Frames.Ready("0"), Frames.Events(1, 2, 3));
        await world.TakeAsync(3);
        Assert.Empty(connection.Acked);
        await world.UntilAsync("the last of them is acked", () => connection.Acked.Count == 1);
        var later = world.Time.GetUtcNow() + TimeSpan.FromSeconds(3);
        await world.UntilAsync("three seconds are over", () => world.Time.GetUtcNow() > later);
        connection.Send(Frames.Events(4));
        await world.TakeAsync(1);
        await world.UntilAsync("the next one is acked", () => connection.Acked.Count == 2);
        connection.Send(Frames.Events(5));
        await world.TakeAsync(1);
        await world.StopAsync();

        Assert.Equal([Frames.At(3), Frames.At(4), Frames.At(5)], connection.Acked);
        Assert.True(connection.IsClosed);
    }

    [Fact]
    public async Task From_a_worse_transport_a_better_one_is_tried_while_all_is_well_and_the_worse_one_is_there_if_it_fails()
    {
        await using var world = new ReadingWorld
        {
            Refusal = opening =>
            opening.Transport == Transports.WebSocket ? new Ending(Ending.Lost, "blocked") { IsTheTransports = true } : null
        };
        var sse = (await world.ConnectionAsync(1)).Send(Frames.Ready("0", heartbeat: 60), Frames.Events(1), Frames.Live(Frames.At(1)));
        Assert.Equal((Transports.Sse, 3), (sse.Opening.Transport, world.Opened.Count));
        await world.TakeAsync(1);
        for (var minute = 0; minute < 5; minute++)
        {
            sse.Send(Frames.Heartbeat(Frames.At(1)));
            await ReadingWorld.UntilNowAsync("the heartbeat is taken in", () => sse.IsIdle);
            world.Time.Advance(TimeSpan.FromMinutes(1));
        }

        var back = await world.ConnectionAsync(2);
        Assert.Equal((Transports.Sse, Frames.At(1), 5), (back.Opening.Transport, back.Opening.After, world.Opened.Count));
    }

    [Fact]
    public async Task What_the_service_tells_last_is_read_before_the_reason_to_give_up()
    {
        await using var world = new ReadingWorld();
        (await world.ConnectionAsync(1)).Send(Frames.Ready("0"), Frames.Events(1, 2)).End(CloseCodes.Replaced);
        Assert.Equal([1, 2], await world.TakeAsync(2));
        var closed = await Assert.ThrowsAsync<AgentEventsClosedException>(world.ItemAsync);
        Assert.Equal(ClosedReasons.Replaced, closed.Reason);
    }

    /// <summary>So long after it was opened or last heard of, and no sooner.</summary>
    private static async Task IsGivenUpAfterAsync(ReadingWorld world, FakeConnection connection, double seconds)
    {
        // The patience began then, or at the latest now: the clock may have run while the reader did not.
        await ReadingWorld.UntilNowAsync("the next frame is waited for", () => connection.IsIdle);
        var now = world.Time.GetUtcNow();
        world.Time.Advance(world.Opened[^1].AddSeconds(seconds - 0.5) - now);
        Assert.False(connection.IsGivenUp);
        world.Time.Advance(now.AddSeconds(seconds) - world.Time.GetUtcNow());
        await ReadingWorld.UntilNowAsync("it is given up", () => connection.IsGivenUp);
    }
}

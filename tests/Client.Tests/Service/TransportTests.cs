using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>The same promises over each transport, against the real service.</summary>
public sealed class TransportTests(Service service) : IClassFixture<Service>
{
    private readonly string _user = $"user-{Guid.CreateVersion7():n}";

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task What_was_missed_is_replayed_and_what_happens_then_comes_live(Transports transport)
    {
        await service.AppendAsync(_user, 5);
        await using var loop = Loop.Over(Loop.Options(service.Url, _user, transport));
        await loop.HasAsync(5);
        await loop.IsAsync(ClientStatus.Live);
        Assert.Equal((transport, 0L), (loop.Client.State.Transport, loop.Client.State.Behind));
        await service.AppendAsync(_user, 3, "r-2");
        await loop.HasAsync(8);

        Assert.Equal(Enumerable.Range(1, 8).Select(n => (long)n), loop.Positions);
        Assert.Equal(["plan_revised", "plan_revised", "agent_completed"], loop.Events.Skip(5).Select(e => e.Type));
        Assert.Equal("r-2/3 – größer ✓", Assert.IsType<AgentCompleted>(loop.Events[^1]).Result);
        Assert.Equal("r-2/1 – größer ✓", Assert.IsType<CustomAgentEvent>(loop.Events[5]).Data.GetProperty("result").GetString());
        await Eventually.HoldsAsync("the last one is processed", async () =>
            loop.Client.Cursor == (await service.EventsAsync(_user, "after=0")).GetProperty("cursor").GetString());
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task Without_a_cursor_reading_starts_from_now_on(Transports transport)
    {
        await service.AppendAsync(_user, 5);
        await service.KnowAsync(_user);
        await using var loop = Loop.Over(Loop.Options(service.Url, _user, transport, after: null));
        await loop.IsAsync(ClientStatus.Live);
        await Eventually.HoldsAsync("it is known where", () => loop.Client.Cursor is not null);
        await service.AppendAsync(_user, 2, "r-2");
        await loop.HasAsync(2);
        Assert.Equal([6, 7], loop.Positions);
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task A_cut_network_costs_no_event_and_none_comes_twice(Transports transport)
    {
        await using var network = service.Network();
        await using var loop = Loop.Over(Loop.Options(network.Url, _user, transport));
        await service.AppendAsync(_user, 3);
        await loop.HasAsync(3);
        network.Reset();
        await service.AppendAsync(_user, 3, "r-2");
        await loop.HasAsync(6);

        network.Cut();
        await loop.IsAsync(ClientStatus.Offline);
        await service.AppendAsync(_user, 3, "r-3");
        Assert.Equal(6, loop.Events.Count);
        network.Heal();
        await loop.HasAsync(9);
        await loop.IsAsync(ClientStatus.Live);
        Assert.Equal(Enumerable.Range(1, 9).Select(n => (long)n), loop.Positions);
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    public async Task A_connection_that_carries_nothing_any_more_is_noticed_by_its_silence(Transports transport)
    {
        await using var network = service.Network();
        await using var loop = Loop.Over(Loop.Options(network.Url, _user, transport));
        await loop.IsAsync(ClientStatus.Live);
        network.Forget();
        await service.AppendAsync(_user, 2);
        await loop.HasAsync(2);
        Assert.Contains(loop.States, state => state.Reason?.Contains("nothing came for 4 s", StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task A_named_client_goes_on_after_its_last_ack_though_it_kept_nothing(Transports transport)
    {
        await service.AppendAsync(_user, 4);
        await using (var first = Loop.Over(Named(transport, after: "0"), e => e.Position == 4 ? throw new InvalidOperationException("a fault") : Task.CompletedTask))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => first.Ended);
        }

        await Eventually.HoldsAsync("the service knows what was processed", async () => await service.AckAsync(_user, "c") == 3);
        await using var second = Loop.Over(Named(transport, after: null));
        await second.HasAsync(1);
        await service.AppendAsync(_user, 1, "r-2");
        await second.HasAsync(2);
        Assert.Equal([4, 5], second.Positions);

        AgentEventsOptions Named(Transports one, string? after) => new()
        {
            Url = service.Url,
            Token = _ => ValueTask.FromResult(Service.Token(_user)),
            Client = "c",
            After = after,
            Transports = one,
        };
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task A_token_that_is_refused_is_renewed_and_reading_begins(Transports transport)
    {
        var tokens = new Queue<string>(["expired", Service.Token(_user)]);
        await using var loop = Loop.Over(new AgentEventsOptions
        {
            Url = service.Url, Token = _ => ValueTask.FromResult(tokens.Dequeue()), After = "0", Transports = transport,
        });
        await service.AppendAsync(_user, 1);
        await loop.HasAsync(1);
        Assert.Empty(tokens);
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task Tokens_that_are_refused_twice_in_a_row_close(Transports transport)
    {
        var asked = 0;
        await using var loop = Loop.Over(new AgentEventsOptions
        {
            Url = service.Url, Token = _ => ValueTask.FromResult($"wrong-{++asked}"), After = "0", Transports = transport,
        });
        Assert.Equal(ClosedReasons.Token, (await Assert.ThrowsAsync<AgentEventsClosedException>(() => loop.Ended)).Reason);
        Assert.Equal((2, ClientStatus.Closed, ClosedReasons.Token), (asked, loop.Client.State.Status, loop.Client.State.Reason));
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    public async Task A_token_is_renewed_ahead_of_its_end_and_reading_never_stops(Transports transport)
    {
        var asked = 0;
        await using var loop = Loop.Over(new AgentEventsOptions
        {
            Url = service.Url,
            Token = _ => ValueTask.FromResult(Service.Token(_user, TimeSpan.FromSeconds(++asked == 1 ? 14 : 3_600))),
            After = "0",
            Transports = transport,
        });
        await loop.IsAsync(ClientStatus.Live);
        await Eventually.HoldsAsync("the token was renewed", () => asked == 2);
        await service.AppendAsync(_user, 1);
        await loop.HasAsync(1);
        await loop.IsAsync(ClientStatus.Live);
        Assert.DoesNotContain(loop.States, state => state.Status == ClientStatus.Offline);
    }
}

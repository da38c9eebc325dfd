using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>PROTOCOL.md, section 6: a discontinuity is never silent.</summary>
public sealed class ResetTests(Service service) : IClassFixture<Service>
{
    private readonly string _user = $"user-{Guid.CreateVersion7():n}";

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task A_history_that_ends_while_it_is_read_is_told_between_its_last_event_and_the_first_of_the_next(Transports transport)
    {
        var told = new List<(StreamReset Reset, int Before)>();
        Loop? loop = null;
        await service.AppendAsync(_user, 2);
        await using var own = loop = Loop.Over(With(transport, "0", (reset, _) =>
        {
            told.Add((reset, loop!.Events.Count));
            return ValueTask.CompletedTask;
        }));
        await loop.HasAsync(2);
        await loop.IsAsync(ClientStatus.Live);
        await service.EraseAsync(_user);
        await service.AppendAsync(_user, 3, "r-2");
        await loop.HasAsync(5);

        Assert.Equal([1, 2, 1, 2, 3], loop.Positions);
        var (reset, before) = Assert.Single(told);
        Assert.Equal((ResetReasons.Epoch, 2), (reset.Reason, before));
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task Where_nobody_is_set_to_be_told_the_enumeration_throws_once_and_goes_on_when_it_is_begun_again(Transports transport)
    {
        await service.AppendAsync(_user, 2);
        await using var client = new AgentEventsClient(With(transport, "strange0epoch_7", onReset: null));

        var thrown = await Assert.ThrowsAsync<StreamResetException>(() => FirstAsync(client));
        Assert.Equal(ResetReasons.Epoch, thrown.Reset.Reason);
        Assert.Equal(thrown.Reset.Cursor, client.Cursor);
        Assert.Equal(1, (await FirstAsync(client)).Position);
    }

    [Fact]
    public async Task A_reset_that_could_not_be_told_is_told_again()
    {
        await service.AppendAsync(_user, 1);
        var calls = 0;
        await using var client = new AgentEventsClient(With(Transports.All, "strange0epoch_7", (_, _) =>
            ++calls == 1 ? throw new InvalidOperationException("a fault") : ValueTask.CompletedTask));
        await Assert.ThrowsAsync<InvalidOperationException>(() => FirstAsync(client));
        Assert.Equal("strange0epoch_7", client.Cursor);
        Assert.Equal((1, 2), ((await FirstAsync(client)).Position, calls));
    }

    private AgentEventsOptions With(Transports transport, string after, Func<StreamReset, CancellationToken, ValueTask>? onReset) => new()
    {
        Url = service.Url,
        Token = _ => ValueTask.FromResult(Service.Token(_user)),
        After = after,
        OnReset = onReset,
        Transports = transport,
        Random = new FixedRandom(0.01),
    };

    private static async Task<AgentEvent> FirstAsync(AgentEventsClient client)
    {
        await foreach (var item in client.ReadAsync(TestContext.Current.CancellationToken))
        {
            return item;
        }

        throw new InvalidOperationException("an enumeration without an end ended");
    }
}

using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class FeedPulseTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Feed _feed = new(StreamKey.Of("t", "u"), new FeedMemory(new FeedOptions()));
    private long _tick;

    [Fact]
    public async Task A_head_that_tells_nothing_new_wakes_nobody_but_those_who_wait_for_a_fresh_one()
    {
        using var reader = new Signal(_time);
        _feed.TryEnter(reader);
        Assert.True(await IsWokenAsync(reader, () => Announce(head: 3)));
        Assert.False(await IsWokenAsync(reader, () => Announce(head: 3)));
        Assert.True(await IsWokenAsync(reader, () => Announce(head: 4)));
        Assert.True(await IsWokenAsync(reader, () => Announce(head: 4, trimmed: 1)));
        Assert.True(await IsWokenAsync(reader, () => Announce(head: 4, trimmed: 1, incarnation: 2)));
        Assert.False(await IsWokenAsync(reader, () => Announce(head: 4, trimmed: 1, incarnation: 2)));

        _feed.WantHead();
        Assert.True(await IsWokenAsync(reader, () => Announce(head: 4, trimmed: 1, incarnation: 2)));
        Assert.False(await IsWokenAsync(reader, () => Announce(head: 4, trimmed: 1, incarnation: 2)));
    }

    private void Announce(long head, long trimmed = 0, long incarnation = 1) =>
        _feed.Announce(new StreamHead(1, incarnation, head, trimmed), ++_tick, ++_tick);

    // A pulse is kept, so a wait after it is over at once; another ends with the time, which moves only here.
    private async Task<bool> IsWokenAsync(Signal reader, Action happens)
    {
        happens();
        var waiting = reader.WaitAsync(_time.After(TimeSpan.FromSeconds(1)));
        if (waiting.IsCompleted)
        {
            return true;
        }

        _time.Advance(TimeSpan.FromSeconds(2));
        await waiting;
        return false;
    }
}

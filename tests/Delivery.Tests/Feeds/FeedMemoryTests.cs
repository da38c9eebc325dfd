using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class FeedMemoryTests
{
    private const int BodyBytes = 100;

    private static readonly FeedOptions Options = new() { FeedEvents = 1_000, FeedBytes = 10_000, NodeBytes = 400_000 };

    private readonly FeedMemory _memory = new(Options);
    private long _tick;

    [Fact]
    public void A_few_busy_users_among_many_idle_ones_keep_whole_tails()
    {
        var feeds = Open(2_000);
        foreach (var idle in feeds[10..])
        {
            Offer(idle, events: 1);
        }

        foreach (var busy in feeds[..10])
        {
            Offer(busy, events: 200);
            Assert.Equal(Options.FeedBytes, busy.Read(tail => tail.Bytes));
        }
    }

    [Fact]
    public void All_tails_together_stay_within_bounds_and_a_newcomer_keeps_something_on_a_full_node()
    {
        var feeds = Open(100);
        foreach (var feed in feeds)
        {
            Offer(feed, events: 100);
            Assert.InRange(_memory.Used, 0, Options.NodeBytes);
        }

        Assert.Equal(_memory.Used, feeds.Sum(feed => feed.Read(tail => tail.Bytes)));
        Assert.All(feeds, feed => Assert.InRange(feed.Read(tail => tail.Bytes), Options.NodeBytes / 4 / 100, Options.FeedBytes));
    }

    [Fact]
    public void A_closed_feed_gives_its_memory_back_and_takes_nothing_in_any_more()
    {
        var feed = Open(1).Single();
        Offer(feed, events: 3);
        Assert.True(feed.TryClose(idleSince: 1));
        Offer(feed, events: 6);
        feed.Announce(new StreamHead(1, 1, 9, 0), ++_tick, ++_tick);
        Assert.Equal(0, _memory.Used);
    }

    private List<Feed> Open(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _memory.Opened();
        }

        return [.. Enumerable.Range(0, count).Select(i => new Feed(StreamKey.Of("t", $"u{i}"), _memory))];
    }

    private void Offer(Feed feed, int events)
    {
        var bodies = Enumerable.Range(0, events).Select(_ => (ReadOnlyMemory<byte>)new byte[BodyBytes]).ToList();
        feed.Offer(1, new BusPageStream(feed.Stream.Value, Incarnation: 1, First: 1, bodies), ++_tick);
    }
}

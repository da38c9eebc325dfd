using System.Runtime.InteropServices;
using System.Text;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class FeedTailTests
{
    private static readonly History Now = new(2, 3);
    private static readonly FeedBounds Bounds = new(4, 1_000);

    private readonly FeedTail _tail = new(StreamKey.Of("t", "u"));
    private long _tick;

    [Fact]
    public void A_slice_that_joins_is_kept_and_what_is_there_already_is_not_kept_twice()
    {
        Assert.Equal(Offered.Moved, Offer(5, "e5", "e6"));
        Assert.Equal(Offered.Stale, Offer(5, "e5", "e6"));
        Assert.Equal(Offered.Moved, Offer(6, "e6", "e7"));
        Assert.Equal(["e5", "e6", "e7"], Read(4));
        Assert.Equal(["e7"], Read(6));
    }

    [Fact]
    public void After_a_gap_the_tail_begins_anew_with_the_newer_run_and_the_late_part_is_left_to_the_log()
    {
        Offer(1, "e1", "e2");
        Assert.Equal(Offered.Moved, Offer(5, "e5"));
        Assert.False(_tail.HoldsAfter(0));
        Assert.Equal(Offered.Stale, Offer(3, "e3", "e4"));
        Assert.Equal(["e5"], Read(4));
        Assert.Equal(5, _tail.Head);
    }

    [Fact]
    public void An_event_too_large_for_the_bus_moves_the_head_and_the_tail_goes_on_behind_it()
    {
        Offer(1, "e1");
        Assert.Equal(Offered.Moved, Offer(2));
        Assert.Equal(2, _tail.Head);
        Assert.False(_tail.HoldsAfter(1));
        Offer(3, "e3");
        Assert.False(_tail.HoldsAfter(1));
        Assert.Equal(["e3"], Read(2));
    }

    [Fact]
    public void The_oldest_go_when_there_are_too_many_events_or_bytes()
    {
        Offer(1, "e1", "e2", "e3", "e4", "e5");
        Assert.Equal(["e2", "e3", "e4", "e5"], Read(1));
        Offer(6, new string('x', 996));
        Assert.Equal((3, 1_000), (_tail.Count, _tail.Bytes));
        Offer(7, new string('y', 2_000));
        Assert.Equal((0, 0), (_tail.Count, _tail.Bytes));
        Assert.Equal(7, _tail.Head);
        Offer(8, "e8");
        Assert.Equal(["e8"], Read(7));
    }

    [Fact]
    public void What_is_kept_holds_on_to_no_byte_beside_itself()
    {
        var message = Encoding.UTF8.GetBytes("head|e1|e2|e3|e4|e5|e6|tail");
        ReadOnlyMemory<byte>[] slices = [.. Enumerable.Range(0, 6).Select(i => (ReadOnlyMemory<byte>)message.AsMemory(5 + (3 * i), 2))];
        _tail.Offer(Now, 1, slices, Bounds, ++_tick);
        Offer(7, "e7", "e8", "e9");

        Assert.Equal(["e6", "e7", "e8", "e9"], Read(5));
        foreach (var body in _tail.Read(5, 100, 10_000))
        {
            Assert.True(MemoryMarshal.TryGetArray(body, out var owned) && owned.Array!.Length == body.Length);
        }
    }

    [Fact]
    public void Only_the_newest_that_fit_are_kept_of_a_page_and_the_tail_starts_anew_with_them()
    {
        Offer(1, "e1");
        Offer(2, new string('x', 600), new string('y', 600), "e4");
        Assert.False(_tail.HoldsAfter(1));
        Assert.Equal((2, 602, 4), (_tail.Count, _tail.Bytes, _tail.Head));
        Offer(5, "e5");
        Assert.Equal(["e4", "e5"], Read(3));
    }

    [Fact]
    public void A_full_tail_goes_on_for_ever()
    {
        for (var position = 1; position <= 1_000; position++)
        {
            Offer(position, $"e{position}");
            Assert.Equal($"e{position}", Read(position - 1).Single());
        }

        Assert.Equal(["e997", "e998", "e999", "e1000"], Read(996));
    }

    [Fact]
    public void A_page_of_a_former_history_is_dropped_and_one_of_a_newer_asks_for_the_head()
    {
        Announce(new StreamHead(2, 3, 7, 0));
        Assert.Equal(Offered.Stale, Offer(new History(1, 9), 8, "old"));
        Assert.Equal(Offered.Stale, Offer(new History(2, 2), 8, "old"));
        Assert.Equal(Offered.HeadNeeded, Offer(new History(2, 4), 1, "new"));
        Assert.Equal(Offered.HeadNeeded, Offer(new History(3, 1), 1, "new"));
        Assert.Equal(7, _tail.Head);

        var epoch = _tail.Epoch;
        Assert.True(Announce(new StreamHead(3, 1, 1, 0)));
        Assert.NotEqual(epoch, _tail.Epoch);
        Assert.Equal((1, 0), (_tail.Head, _tail.Count));
    }

    [Fact]
    public void A_head_that_was_read_before_the_last_page_came_does_not_set_it_back_but_a_later_one_does()
    {
        var before = ++_tick;
        Offer(10, "e10");
        Assert.True(_tail.Announce(new StreamHead(2, 3, 8, 0), before, ++_tick));
        Assert.Equal(10, _tail.Head);
        Assert.Equal(["e10"], Read(9));

        Announce(new StreamHead(2, 3, 8, 0));
        Assert.Equal((8, 0), (_tail.Head, _tail.Count));
    }

    private Offered Offer(long first, params string[] bodies) => Offer(Now, first, bodies);

    private Offered Offer(History history, long first, params string[] bodies) =>
        _tail.Offer(history, first, [.. bodies.Select(body => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(body))], Bounds, ++_tick);

    private bool Announce(StreamHead head) => _tail.Announce(head, ++_tick, ++_tick);

    private IEnumerable<string> Read(long after) =>
        _tail.Read(after, 100, 10_000).Select(body => Encoding.UTF8.GetString(body.Span));
}

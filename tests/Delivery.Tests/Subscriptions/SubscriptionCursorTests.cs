using System.Text;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class SubscriptionCursorTests
{
    private static readonly StreamKey Stream = StreamKey.Of("t", "u");
    private static readonly string Here = Epoch.Of(1, Stream, 1);

    private readonly FeedTail _feed = new(Stream);
    private long _tick;

    [Fact]
    public void What_the_tail_holds_is_sent_though_the_log_is_away()
    {
        var cursor = Connect(new Cursor(Here, 4));
        Offer(5, "e5", "e6");
        var step = Next(cursor, logAway: true);
        Assert.Equal((StepKind.Events, 5, 2), (step.Kind, step.First, step.Bodies.Count));
        Assert.Equal(StepKind.NeedHead, Next(cursor, logAway: true).Kind);
        Offer(7, "e7");
        Assert.Equal(StepKind.Events, Next(cursor, logAway: true).Kind);
    }

    [Fact]
    public void From_now_on_without_the_log_starts_with_the_first_page_and_never_in_front_of_a_read_under_way()
    {
        var patient = Connect(null);
        var hasty = Connect(null);
        var began = ++_tick;
        Offer(12, "e12");
        Assert.Equal(12, Next(hasty, logAway: true).First);
        Assert.Equal(StepKind.NeedHead, Next(patient).Kind);
        _feed.Announce(new StreamHead(1, 1, 10, 0), began, ++_tick);
        Assert.Equal((StepKind.ReadLog, new Cursor(Here, 10)), (Next(patient).Kind, Next(patient).Cursor));
    }

    [Fact]
    public void From_now_on_without_the_log_never_goes_back_to_what_the_node_had_heard_before()
    {
        Offer(12, "e12", "e13");
        var cursor = Connect(null);
        Assert.Equal(StepKind.NeedHead, Next(cursor, logAway: true).Kind);
        Offer(14, "e14");
        Assert.Equal(14, Next(cursor, logAway: true).First);
    }

    [Fact]
    public void Only_what_was_sent_or_found_good_is_vouched_for()
    {
        var cursor = Connect(new Cursor(Here, 9));
        Next(cursor, logAway: true);
        Assert.Null(cursor.Vouched);
        Announce(9);
        Next(cursor);
        Assert.Equal(new Cursor(Here, 9), cursor.Vouched);
        Offer(10, "e10", "e11");
        Next(cursor);
        Assert.Equal(new Cursor(Here, 11), cursor.Vouched);
    }

    [Fact]
    public void A_cursor_beyond_the_head_is_from_the_future_only_by_a_head_read_after_it_came()
    {
        var before = ++_tick;
        var cursor = Connect(new Cursor(Here, 9));
        _feed.Announce(new StreamHead(1, 1, 8, 2), before, ++_tick);
        Assert.Equal(StepKind.NeedHead, Next(cursor).Kind);
        Assert.Null(cursor.Ready(_feed, false, [], 15).Reason);

        Announce(8, trimmed: 2);
        var step = Next(cursor);
        Assert.Equal((StepKind.Reset, ResetReasons.Future, new Cursor(Here, 2)), (step.Kind, step.Reason, step.Cursor));
        Assert.Equal(StepKind.ReadLog, Next(cursor).Kind);
    }

    [Fact]
    public void A_page_that_brings_the_awaited_event_makes_a_cursor_good_that_looked_like_the_future()
    {
        Announce(8);
        var cursor = Connect(new Cursor(Here, 9));
        Offer(9, "e9", "e10");
        Assert.Equal(10, Next(cursor).First);
    }

    [Fact]
    public void What_the_log_answered_before_it_went_back_is_not_sent()
    {
        Announce(4);
        var start = new Cursor(Here, 1);
        var cursor = Connect(start);
        var answer = new LogPage(new StreamHead(1, 1, 4, 0), [.. Enumerable.Range(2, 3).Select(i => new LogEvent(i, Encoding.UTF8.GetBytes($"e{i}")))], 4);
        Announce(3);
        Assert.Equal(StepKind.Wait, cursor.Take(_feed, start, answer).Kind);

        var step = cursor.Take(_feed, start, answer.Cut(2, int.MaxValue).Frame);
        Assert.Equal((StepKind.Events, 2, 2), (step.Kind, step.First, step.Bodies.Count));
    }

    [Fact]
    public void Retention_that_overtook_the_cursor_is_an_explicit_reset_unless_the_tail_still_has_what_follows()
    {
        Offer(3, "e3", "e4");
        var slow = Connect(new Cursor(Here, 1));
        var quick = Connect(new Cursor(Here, 2));
        Announce(4, trimmed: 3);
        Assert.Equal((StepKind.Reset, ResetReasons.Expired), (Next(slow).Kind, Ready(Connect(new Cursor(Here, 1))).Reason));
        Assert.Equal(3, Next(quick).First);
    }

    [Fact]
    public void Zero_is_never_reset_and_follows_retention_until_something_was_sent()
    {
        Announce(5, trimmed: 1);
        var cursor = Connect(Cursor.Oldest);
        Assert.Equal(("0", ResumeKinds.Replaying), (Ready(cursor).Cursor, Ready(cursor).Resume));
        Announce(5, trimmed: 3);
        Assert.Equal((StepKind.ReadLog, new Cursor(Here, 3)), (Next(cursor).Kind, Next(cursor).Cursor));
    }

    [Fact]
    public void Live_is_said_once_and_again_after_a_reset()
    {
        Announce(2);
        var cursor = Connect(new Cursor(Here, 2));
        Assert.Equal(StepKind.Live, Next(cursor).Kind);
        Assert.Equal(StepKind.Wait, Next(cursor).Kind);
        Offer(3, "e3");
        Assert.Equal(StepKind.Events, Next(cursor).Kind);
        Assert.Equal(StepKind.Wait, Next(cursor).Kind);

        _feed.Announce(new StreamHead(1, 2, 0, 0), ++_tick, ++_tick);
        Assert.Equal(ResetReasons.Epoch, Next(cursor).Reason);
        Assert.Equal(StepKind.Live, Next(cursor).Kind);
    }

    private SubscriptionCursor Connect(Cursor? given) => new(given, _feed, ++_tick);

    private ReadyFrame Ready(SubscriptionCursor cursor)
    {
        _feed.Announce(new StreamHead(1, 1, _feed.Head, _feed.Trimmed), ++_tick, ++_tick);
        return cursor.Ready(_feed, false, [], 15);
    }

    private Step Next(SubscriptionCursor cursor, bool logAway = false) => cursor.Next(_feed, logAway, 100, 10_000);

    private void Announce(long head, long trimmed = 0) =>
        _feed.Announce(new StreamHead(1, 1, head, trimmed), ++_tick, ++_tick);

    private void Offer(long first, params string[] bodies) => _feed.Offer(
        new History(1, 1), first, [.. bodies.Select(body => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(body))],
        new FeedBounds(100, 10_000), ++_tick);
}

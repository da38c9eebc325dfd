using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>PROTOCOL.md, section 6: <c>events</c> are contiguous, and no frame's cursor lies beyond the last event that was sent.</summary>
public sealed class ContinuityTests
{
    [Fact]
    public void Events_that_follow_the_cursor_are_handed_on_and_move_it()
    {
        var continuity = Standing(5);
        Assert.Equal([6, 7], Delivered(continuity.Take(Frames.Events(6, 7))));
        Assert.Equal([8], Delivered(continuity.Take(Frames.Events(8))));
        Assert.Equal(Frames.At(8), continuity.At.ToString());
    }

    [Fact]
    public void Of_events_that_overlap_the_cursor_only_the_new_ones_are_handed_on()
    {
        var continuity = Standing(5);
        Assert.Equal([6, 7], Delivered(continuity.Take(Frames.Events(4, 5, 6, 7))));
        Assert.Empty(Delivered(continuity.Take(Frames.Events(2, 3))));
        Assert.Empty(Delivered(continuity.Take(Frames.Events(6, 7))));
        Assert.Equal(Frames.At(7), continuity.At.ToString());
    }

    [Fact]
    public void Events_beyond_the_next_one_are_a_gap_and_leave_the_cursor()
    {
        var continuity = Standing(5);
        Assert.Equal(AdvanceKind.Gap, continuity.Take(Frames.Events(7)).Kind);
        Assert.Equal([6], Delivered(continuity.Take(Frames.Events(6))));
    }

    [Theory]
    [InlineData(6, 8)]
    [InlineData(6, 6)]
    [InlineData(7, 6)]
    public void A_frame_with_a_hole_a_repetition_or_another_order_is_a_gap(int first, int second) =>
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Events(first, second)).Kind);

    [Fact]
    public void Another_epoch_without_a_reset_is_a_gap()
    {
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Events("epoch2", 6)).Kind);
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Heartbeat(Frames.At(5, "epoch2"))).Kind);
    }

    [Fact]
    public void A_live_heartbeat_or_ready_cursor_beyond_what_came_is_a_gap()
    {
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Live(Frames.At(6))).Kind);
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Heartbeat(Frames.At(6))).Kind);
        Assert.Equal(AdvanceKind.Gap, Standing(5).Take(Frames.Ready(Frames.At(6))).Kind);
    }

    [Fact]
    public void A_cursor_that_is_ours_older_or_missing_is_nothing()
    {
        Assert.Equal(AdvanceKind.Nothing, Standing(5).Take(Frames.Live(Frames.At(5))).Kind);
        Assert.Equal(AdvanceKind.Nothing, Standing(5).Take(Frames.Heartbeat(Frames.At(4))).Kind);
        Assert.Equal(AdvanceKind.Nothing, Standing(5).Take(Frames.Ready(null)).Kind);
        Assert.Equal(AdvanceKind.Nothing, Standing(5).Take(new Frame { Type = "of another version" }).Kind);
    }

    [Fact]
    public void Who_starts_with_the_oldest_takes_whatever_is_the_first()
    {
        var continuity = new Continuity(Cursor.Oldest);
        Assert.Equal(AdvanceKind.Nothing, continuity.Take(Frames.Ready("0")).Kind);
        Assert.Equal([42, 43], Delivered(continuity.Take(Frames.Events(42, 43))));
        Assert.Equal(AdvanceKind.Gap, continuity.Take(Frames.Events(45)).Kind);
    }

    [Fact]
    public void Who_starts_with_the_oldest_of_an_empty_stream_stands_at_its_head()
    {
        var continuity = new Continuity(Cursor.Oldest);
        continuity.Take(Frames.Live(Frames.At(9)));
        Assert.Equal(AdvanceKind.Gap, continuity.Take(Frames.Events(11)).Kind);
        Assert.Equal([10], Delivered(continuity.Take(Frames.Events(10))));
    }

    [Fact]
    public void Who_gave_no_cursor_starts_where_the_service_says()
    {
        var continuity = new Continuity(null);
        Assert.Equal(AdvanceKind.Nothing, continuity.Take(Frames.Ready(null)).Kind);
        var began = continuity.Take(Frames.Live(Frames.At(9)));
        Assert.Equal((AdvanceKind.Began, Frames.At(9)), (began.Kind, began.Began.ToString()));
        Assert.Equal(AdvanceKind.Gap, continuity.Take(Frames.Events(11)).Kind);
    }

    [Fact]
    public void Who_gave_no_cursor_and_is_told_none_starts_before_the_first_event()
    {
        var first = new Continuity(null).Take(Frames.Events(10, 11));
        Assert.Equal(Frames.At(9), first.Began.ToString());
        Assert.Equal([10, 11], Delivered(first));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_reset_is_told_and_reading_goes_on_where_it_says(bool atConnect)
    {
        var continuity = Standing(5);
        var reset = continuity.Take(atConnect
            ? Frames.Ready(Frames.At(2, "epoch2"), ResumeKinds.Reset) with { Reason = ResetReasons.Epoch }
            : Frames.Reset(ResetReasons.Epoch, Frames.At(2, "epoch2")));
        Assert.Equal(new StreamReset(ResetReasons.Epoch, Frames.At(2, "epoch2")), reset.Reset);
        Assert.Equal([3], Delivered(continuity.Take(Frames.Events("epoch2", 3))));
    }

    [Fact]
    public void What_is_no_cursor_breaks_the_protocol()
    {
        Assert.Throws<JsonException>(() => Standing(5).Take(Frames.Live("nonsense")));
        Assert.Throws<JsonException>(() => Standing(5).Take(new Frame { Type = FrameTypes.Events, Events = [Frames.Event(Frames.At(0))] }));
    }

    private static Continuity Standing(long position) => new(new Cursor(Frames.Epoch, position));

    private static IEnumerable<long> Delivered(Advance advance)
    {
        Assert.Equal(AdvanceKind.Deliver, advance.Kind);
        return advance.Events.Select(e => e.Event.Position);
    }
}

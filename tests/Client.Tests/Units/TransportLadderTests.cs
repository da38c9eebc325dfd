using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Client.Tests;

public sealed class TransportLadderTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Two_failures_lead_to_the_next_transport_and_the_last_one_stays()
    {
        var ladder = Ladder();
        Assert.Equal(Transports.WebSocket, ladder.Current);
        Assert.Equal(
            [Transports.WebSocket, Transports.Sse, Transports.Sse, Transports.Poll, Transports.Poll, Transports.Poll],
            Enumerable.Range(0, 6).Select(_ => AfterFailure(ladder)));
    }

    [Fact]
    public void A_transport_that_worked_between_two_failures_is_kept()
    {
        var ladder = Ladder();
        ladder.Failed();
        ladder.Ready();
        Assert.Equal(Transports.WebSocket, AfterFailure(ladder));
        Assert.Equal(Transports.Sse, AfterFailure(ladder));
    }

    [Fact]
    public void Only_what_is_allowed_is_used()
    {
        Assert.Equal(Transports.Poll, new TransportLadder(Transports.Poll, _time).Current);
        var ladder = new TransportLadder(Transports.WebSocket | Transports.Poll, _time);
        ladder.Failed();
        Assert.Equal(Transports.Poll, AfterFailure(ladder));
        Assert.True(new TransportLadder(Transports.Sse, _time).IsOnly);
    }

    [Fact]
    public void The_best_is_due_again_after_five_minutes_and_ever_more_seldom()
    {
        var ladder = Ladder();
        Descend(ladder);
        foreach (var minutes in new[] { 5, 10, 20, 40, 60, 60 })
        {
            _time.Advance(TimeSpan.FromMinutes(minutes) - TimeSpan.FromTicks(1));
            Assert.False(ladder.IsBetterDue);
            _time.Advance(TimeSpan.FromTicks(1));
            Assert.True(ladder.IsBetterDue);
            ladder.TryBetter();
            Assert.Equal(Transports.WebSocket, ladder.Current);
            Descend(ladder);
        }
    }

    [Fact]
    public void A_trial_that_fails_leads_back_at_the_first_failure()
    {
        var ladder = Ladder();
        Descend(ladder);
        _time.Advance(TimeSpan.FromMinutes(5));
        ladder.TryBetter();
        Assert.Equal(Transports.Sse, AfterFailure(ladder));
        Assert.Equal(Transports.Poll, AfterFailure(ladder));
    }

    [Fact]
    public void A_trial_that_succeeds_stays_and_the_while_is_short_again()
    {
        var ladder = Ladder();
        Descend(ladder);
        _time.Advance(TimeSpan.FromMinutes(5));
        ladder.TryBetter();
        ladder.Ready();
        Assert.False(ladder.IsBetterDue);
        Assert.Equal(Transports.WebSocket, AfterFailure(ladder));
        Assert.Equal(Transports.Sse, AfterFailure(ladder));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.True(ladder.IsBetterDue);
    }

    private TransportLadder Ladder() => new(Transports.All, _time);

    private static Transports AfterFailure(TransportLadder ladder)
    {
        ladder.Failed();
        return ladder.Current;
    }

    /// <summary>Down to the last one, which works.</summary>
    private static void Descend(TransportLadder ladder)
    {
        while (ladder.Current != Transports.Poll)
        {
            ladder.Failed();
        }

        ladder.Ready();
    }
}

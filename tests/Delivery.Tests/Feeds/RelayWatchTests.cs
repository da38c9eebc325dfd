using Microsoft.Extensions.Time.Testing;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class RelayWatchTests
{
    private static readonly Guid Relay = Guid.CreateVersion7();

    private readonly FakeTimeProvider _time = new();
    private readonly RelayWatch _watch;

    public RelayWatchTests() => _watch = new RelayWatch(_time);

    [Fact]
    public void Numbers_that_follow_each_other_and_what_comes_late_or_twice_are_no_reason_to_read()
    {
        Assert.False(Page(1));
        Assert.False(Page(2));
        Assert.False(Beacon(2));
        Assert.False(Page(2));
        Assert.False(Page(1));
        Assert.False(Beacon(1));
        Assert.False(Page(3));
    }

    [Fact]
    public void A_hole_is_noticed_by_the_next_page_or_beacon_once()
    {
        Page(1);
        Assert.True(Page(3));
        Assert.False(Page(4));
        Assert.True(Beacon(5));
        Assert.False(Beacon(5));
        Assert.False(Page(6));
    }

    [Fact]
    public void A_relay_that_is_met_in_the_middle_may_have_said_something_before()
    {
        Assert.True(Page(7));
        Assert.False(Page(8));
        Assert.False(_watch.Observe(Guid.CreateVersion7(), 0, isBeacon: true, goodbye: false));
        Assert.True(_watch.Observe(Guid.CreateVersion7(), 1, isBeacon: true, goodbye: false));
    }

    [Fact]
    public void Silence_counts_after_more_than_two_beacons_until_the_relay_speaks_says_goodbye_or_is_dead()
    {
        Page(1);
        _time.Advance(RelayWatch.Silence);
        Assert.False(IsSilent());
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(IsSilent());
        Beacon(1);
        Assert.False(IsSilent());

        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.True(_watch.IsAnySilent([], expired: [Relay]), "its last page may have been lost with it");
        Assert.False(IsSilent());

        Page(2);
        Assert.False(_watch.Observe(Relay, 2, isBeacon: true, goodbye: true));
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.False(IsSilent());
    }

    [Fact]
    public void A_process_that_has_a_lease_and_was_never_heard_counts_as_silent_as_soon()
    {
        Assert.False(_watch.IsAnySilent([Relay], []));
        _time.Advance(RelayWatch.Silence);
        Assert.False(_watch.IsAnySilent([Relay], []));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(_watch.IsAnySilent([Relay], []));
        Assert.False(_watch.IsAnySilent([Relay], expired: [Relay]));
        Assert.False(_watch.IsAnySilent([Relay], []));
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.True(_watch.IsAnySilent([Relay], []));

        Beacon(0);
        Assert.False(_watch.IsAnySilent([Relay], []));
        _watch.Observe(Relay, 0, isBeacon: true, goodbye: true);
        Assert.False(_watch.IsAnySilent([Relay], []));
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.False(_watch.IsAnySilent([Relay], []));
    }

    private bool Page(long number) => _watch.Observe(Relay, number, isBeacon: false, goodbye: false);

    private bool Beacon(long number) => _watch.Observe(Relay, number, isBeacon: true, goodbye: false);

    private bool IsSilent() => _watch.IsAnySilent([], []);
}

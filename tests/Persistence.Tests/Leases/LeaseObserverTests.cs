using CsCheck;
using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Persistence.Tests;

public sealed class LeaseObserverTests
{
    private static readonly TimeSpan MaxGap = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(4);

    /// <summary>Milliseconds between readings that all succeed in time; coarse, so that sums hit the lengths exactly.</summary>
    private static readonly Gen<int[]> SteadyPauses = Gen.Int[1, 20].Select(tenths => 100 * tenths).Array[1, 200];

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_holder_whose_counter_moves_within_its_length_never_expires() =>
        Gen.Select(SteadyPauses, Gen.Int[1, 2_000]).Sample((pauses, renewEvery) =>
        {
            var (time, observer) = Fresh();
            var elapsed = 0L;
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause));
                elapsed += pause;
                var reading = Reading("a", counter: elapsed / renewEvery);
                Assert.Empty(observer.Observe([reading]));
            }
        });

    [Fact]
    public void A_stopped_counter_expires_at_the_first_reading_after_its_length_and_stays_expired() =>
        SteadyPauses.Sample(pauses =>
        {
            var (time, observer) = Fresh();
            Assert.Empty(observer.Observe([Reading("a", 7)]));
            var elapsed = 0L;
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause));
                elapsed += pause;
                Assert.Equal(elapsed >= 4_000, observer.Observe([Reading("a", 7)]).Contains("a"));
            }
        });

    [Fact]
    public void An_outage_of_any_length_expires_nobody_until_a_whole_length_was_watched_again() =>
        Gen.Select(Gen.Int[0, 3_999], Gen.Int[2_001, 10_000_000], SteadyPauses).Sample((before, outage, pauses) =>
        {
            var (time, observer) = Fresh();
            observer.Observe([Reading("a", 7)]);
            time.Advance(TimeSpan.FromMilliseconds(Math.Min(before, 2_000)));
            observer.Observe([Reading("a", 7)]);

            time.Advance(TimeSpan.FromMilliseconds(outage));
            Assert.Empty(observer.Observe([Reading("a", 7)]));
            var elapsed = 0L;
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause));
                elapsed += pause;
                Assert.Equal(elapsed >= 4_000, observer.Observe([Reading("a", 7)]).Count == 1);
            }
        });

    [Fact]
    public void Each_lease_expires_by_its_own_length_and_counter()
    {
        var observer = new LeaseObserver<string>(_time, MaxGap);
        IReadOnlyList<string> expired = [];
        for (var second = 0; second <= 6; second++)
        {
            expired = observer.Observe(
            [
                new("short", 1, TimeSpan.FromSeconds(3)), new("long", 1, TimeSpan.FromSeconds(60)), new("alive", second, TimeSpan.FromSeconds(3)),
            ]);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(["short"], expired);
    }

    [Fact]
    public void A_lease_that_was_gone_and_came_back_is_watched_from_its_return()
    {
        var observer = new LeaseObserver<string>(_time, MaxGap);
        observer.Observe([Reading("a", 1)]);
        _time.Advance(MaxGap);
        observer.Observe([]);
        _time.Advance(MaxGap);

        Assert.Empty(observer.Observe([Reading("a", 1)]));
    }

    [Fact]
    public void A_watch_that_starts_over_forgets_what_it_saw()
    {
        var observer = new LeaseObserver<string>(_time, MaxGap);
        for (var second = 0; second < 4; second++)
        {
            observer.Observe([Reading("a", 1)]);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        observer.Restart();

        Assert.Empty(observer.Observe([Reading("a", 1)]));
    }

    [Fact]
    public void A_wall_clock_that_jumps_decides_nothing()
    {
        var clock = new JumpingWallClock();
        var observer = new LeaseObserver<string>(clock, MaxGap);
        for (var jump = 0; jump < 10; jump++)
        {
            Assert.Empty(observer.Observe([Reading("a", 1)]));
            clock.Now += MaxGap;
        }
    }

    private static (FakeTimeProvider Time, LeaseObserver<string> Observer) Fresh()
    {
        var time = new FakeTimeProvider();
        return (time, new LeaseObserver<string>(time, MaxGap));
    }

    private static ObservedLease<string> Reading(string key, long counter) => new(key, counter, Length);

    /// <summary>Its monotonic clock stands still.</summary>
    private sealed class JumpingWallClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => 0;
    }
}

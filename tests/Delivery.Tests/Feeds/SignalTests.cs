using Microsoft.Extensions.Time.Testing;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class SignalTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task A_pulse_while_nobody_waits_is_kept()
    {
        var time = new FakeTimeProvider();
        using var signal = new Signal(time);

        signal.Pulse();

        await signal.WaitAsync(time.After(Wait)).WaitAsync(Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Every_wait_ends_in_time_though_timers_ring_before_their_timestamp()
    {
        var time = new TimersRingEarly();
        using var signal = new Signal(time);

        for (var round = 0; round < 3; round++)
        {
            var waiting = signal.WaitAsync(time.After(Wait));
            time.Advance(Wait + TimeSpan.FromMilliseconds(1));
            await waiting.WaitAsync(Bound, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Timers go by a coarser clock than timestamps, as the runtime's do.</summary>
    private sealed class TimersRingEarly : FakeTimeProvider
    {
        private readonly long _lag = TimeSpan.FromMilliseconds(4).Ticks;

        public override long GetTimestamp() => base.GetTimestamp() - _lag;
    }
}

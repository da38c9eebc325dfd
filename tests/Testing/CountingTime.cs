using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Testing;

/// <summary>A clock that a test moves, and that tells when somebody has begun to wait for it.</summary>
public sealed class CountingTime : FakeTimeProvider
{
    private int _timers;

    /// <summary>How many timers were ever set.</summary>
    public int Timers => Volatile.Read(ref _timers);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        Interlocked.Increment(ref _timers);
        return timer;
    }
}

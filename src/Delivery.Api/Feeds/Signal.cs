namespace Pipeline.Delivery.Api;

/// <summary>
/// Wakes one waiter: whoever changes something pulses, the waiter looks again at everything. A pulse while nobody waits is
/// kept, several count as one, and one may come for nothing.
/// </summary>
internal sealed class Signal : IDisposable
{
    private const long NotArmed = long.MinValue;

    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private volatile TaskCompletionSource _pulsed = New();
    private long _armedFor = NotArmed;

    public Signal(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(
            static signal => ((Signal)signal!).Alarm(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Pulse()
    {
        // Where this still sees the pulse before, the waiter must see what was changed: a full fence here and there.
        Interlocked.MemoryBarrier();
        _pulsed.TrySetResult();
    }

    /// <summary>Waits for a pulse, at most until <paramref name="due"/>, a timestamp of the time provider.</summary>
    public async Task WaitAsync(long due)
    {
        var now = _time.GetTimestamp();
        if (due <= now)
        {
            return;
        }

        // An earlier alarm that is still set wakes for nothing once; that is cheaper than to set the timer every time.
        var armedFor = Interlocked.Read(ref _armedFor);
        if (armedFor == NotArmed || due < armedFor)
        {
            Interlocked.Exchange(ref _armedFor, due);
            _timer.Change(_time.GetElapsedTime(now, due) + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }

        await _pulsed.Task;
        Interlocked.Exchange(ref _pulsed, New());
    }

    public void Dispose() => _timer.Dispose();

    // Timers may fire a little early: what was armed is told by this, not by the clock.
    private void Alarm()
    {
        Interlocked.Exchange(ref _armedFor, NotArmed);
        Pulse();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

internal static class Timestamps
{
    /// <summary>The timestamp so much later.</summary>
    public static long After(this TimeProvider time, TimeSpan span) =>
        time.GetTimestamp() + time.Ticks(span);

    /// <summary>A time as a difference of timestamps.</summary>
    public static long Ticks(this TimeProvider time, TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}

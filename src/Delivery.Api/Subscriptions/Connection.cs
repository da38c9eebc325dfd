using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Why a connection ends; on WebSocket its close frame.</summary>
/// <param name="Code">See <see cref="CloseCodes"/>.</param>
internal sealed record Close(int Code, string Reason);

/// <summary>Whose one connection is, and what others may want of it. Thread-safe.</summary>
internal sealed class Connection(Caller caller, string? client, TimeProvider time) : IDisposable
{
    private const long Never = long.MaxValue;

    private Close? _close;
    private long _drainAt = Never;
    private long _expires = TicksOf(caller.Expires);

    public Caller Caller => caller;

    /// <summary>The client id it gave; null for none.</summary>
    public string? Client => client;

    /// <summary>Pulsed when there may be something to do for it.</summary>
    public Signal Signal { get; } = new(time);

    /// <summary>Why to close, once there is a reason; the first one counts.</summary>
    public Close? Closing => Volatile.Read(ref _close);

    /// <summary>When to close because the node stops, as a timestamp.</summary>
    public long DrainAt => Interlocked.Read(ref _drainAt);

    /// <summary>When the token ends; null for never.</summary>
    public DateTimeOffset? Expires =>
        Interlocked.Read(ref _expires) is not Never and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    public void CloseWith(int code, string reason)
    {
        Interlocked.CompareExchange(ref _close, new Close(code, reason), null);
        Signal.Pulse();
    }

    public void Drain(long at)
    {
        Interlocked.Exchange(ref _drainAt, at);
        Signal.Pulse();
    }

    public void Renew(DateTimeOffset? expires)
    {
        Interlocked.Exchange(ref _expires, TicksOf(expires));
        Signal.Pulse();
    }

    public void Dispose() => Signal.Dispose();

    private static long TicksOf(DateTimeOffset? expires) => expires?.UtcTicks ?? Never;
}

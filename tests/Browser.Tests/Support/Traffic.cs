using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>What a browser asked its network for, and what of it a middlebox refuses.</summary>
public sealed class Traffic
{
    private int _webSockets;
    private int _eventStreams;

    /// <summary>Upgrades that were asked for, refused ones too.</summary>
    public int WebSockets => Volatile.Read(ref _webSockets);

    /// <summary>Event streams that were asked for, refused ones too.</summary>
    public int EventStreams => Volatile.Read(ref _eventStreams);

    public bool RefusesWebSockets { get; set; }

    public bool RefusesEventStreams { get; set; }

    /// <summary>Inspects a connection of a <see cref="FaultProxy"/>. A browser sends the head of a request in one piece.</summary>
    internal bool MayPass(Flow flow, ReadOnlySpan<byte> bytes)
    {
        if (flow != Flow.Up)
        {
            return true;
        }

        if (bytes.IndexOf("Upgrade: websocket"u8) >= 0)
        {
            Interlocked.Increment(ref _webSockets);
            return !RefusesWebSockets;
        }

        if (bytes.IndexOf("text/event-stream"u8) >= 0)
        {
            Interlocked.Increment(ref _eventStreams);
            return !RefusesEventStreams;
        }

        return true;
    }
}

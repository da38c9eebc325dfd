using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>What an <see cref="AgentEventsClient"/> works with. Only <see cref="Url"/> and <see cref="Token"/> are needed.</summary>
public sealed class AgentEventsOptions
{
    /// <summary>Base of the service, for example <c>https://host/prefix/</c>: absolute, http or https. A missing last slash is added.</summary>
    public required Uri Url { get; init; }

    /// <summary>
    /// Gives the bearer token (PROTOCOL.md, section 11). Asked when the first one is needed, when one was refused and, for a JWT,
    /// ahead of its <c>exp</c>; never twice at a time. Throw <see cref="TokenUnavailableException"/> to have reading end;
    /// after any other exception it is asked again later.
    /// </summary>
    public required Func<CancellationToken, ValueTask<string>> Token { get; init; }

    /// <summary>
    /// Names this reader, 1 to 128 bytes: the server keeps its acks and starts it after the last of them where neither
    /// <see cref="After"/> nor <see cref="Store"/> says where. Of two connections with one id, the newer one replaces
    /// the other. Null: no acks.
    /// </summary>
    public string? Client { get; init; }

    /// <summary>
    /// Cursor to start after, <c>0</c> for the oldest kept event (PROTOCOL.md, section 2); it wins over <see cref="Store"/>.
    /// Null: the store's cursor, else <see cref="Client"/>'s last ack, else from now on.
    /// </summary>
    public string? After { get; init; }

    /// <summary>
    /// Keeps the cursor beyond this process. What it throws ends the enumeration, with the cursor where it was. Null: the
    /// client remembers it for as long as it lives.
    /// </summary>
    public ICursorStore? Store { get; init; }

    /// <summary>
    /// Told of a discontinuity (PROTOCOL.md, section 6), awaited, in its place among the events: discard what you had. The cursor
    /// moves once it returned; what it throws ends the enumeration. Null: the enumeration throws <see cref="StreamResetException"/>.
    /// </summary>
    public Func<StreamReset, CancellationToken, ValueTask>? OnReset { get; init; }

    /// <summary>Which transports may be used; the first that works is, in the order of the members. Default: all.</summary>
    public Transports Transports { get; init; } = Transports.All;

    /// <summary>Most events kept ready for a loop that is slower than the stream, from 1. Default 1,000.</summary>
    public int ReadAheadEvents { get; init; } = 1_000;

    /// <summary>Most bytes of events kept ready, from 1; one event may exceed it. Default 4 MB.</summary>
    public int ReadAheadBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// Sends all requests, handshakes too: for proxies, certificates, tests. It is not disposed of. Null: one of the client's own.
    /// </summary>
    public HttpMessageHandler? Handler { get; init; }

    /// <summary>The clock of all waiting. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Spreads reconnects; used by one thread at a time. Default: <see cref="Random.Shared"/>.</summary>
    public Random Random { get; init; } = Random.Shared;

    /// <exception cref="ArgumentException">An option is wrong; the message names it.</exception>
    internal void ThrowIfInvalid()
    {
        ArgumentNullException.ThrowIfNull(Url);
        ArgumentNullException.ThrowIfNull(Token);
        ArgumentOutOfRangeException.ThrowIfLessThan(ReadAheadEvents, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ReadAheadBytes, 1);
        if (!Url.IsAbsoluteUri || (Url.Scheme != Uri.UriSchemeHttp && Url.Scheme != Uri.UriSchemeHttps))
        {
            throw new ArgumentException($"Url is '{Url}'; give an absolute http or https URL", nameof(Url));
        }

        if (After is not null && !Cursor.TryParse(After, out _))
        {
            throw new ArgumentException($"After is '{After}'; give a cursor as it was received, or 0 for the oldest kept event", nameof(After));
        }

        if (Client is not null)
        {
            Limits.ThrowIfInvalidId(Client, nameof(Client));
        }

        if ((Transports & Transports.All) == 0 || (Transports & ~Transports.All) != 0)
        {
            throw new ArgumentException($"Transports is '{Transports}'; give one or more of them", nameof(Transports));
        }
    }
}

/// <summary>Ways to read (PROTOCOL.md, section 5), the best first.</summary>
[Flags]
public enum Transports
{
    /// <summary>A WebSocket.</summary>
    WebSocket = 1,

    /// <summary>Server-sent events.</summary>
    Sse = 2,

    /// <summary>Long-polled JSON.</summary>
    Poll = 4,

    /// <summary>Every one.</summary>
    All = WebSocket | Sse | Poll,
}

namespace Pipeline.Client;

/// <summary>
/// One connection of some transport, whose frames are those of PROTOCOL.md, section 6. It breaks off when the token it was opened
/// with is cancelled. One receiver, and one caller of the other methods at a time.
/// </summary>
internal interface IConnection : IAsyncDisposable
{
    /// <summary>Least time between two acks.</summary>
    TimeSpan AckInterval { get; }

    /// <summary>The next frame.</summary>
    /// <exception cref="ConnectionEndedException">There is none any more. Other exceptions are the network's.</exception>
    Task<Frame> ReceiveAsync();

    /// <summary>Tells what was processed.</summary>
    Task AckAsync(string cursor, CancellationToken cancellationToken);

    /// <summary>Goes on with another token of the same user. False: this kind of connection has to be opened anew for it.</summary>
    Task<bool> RenewAsync(string token, CancellationToken cancellationToken);
}

/// <summary>What a connection is opened with.</summary>
/// <param name="After">Where to start; null for the client's last ack, else from now on.</param>
internal sealed record Opening(Transports Transport, string Token, string? After)
{
    /// <summary>Whether what an upgrade is refused with is the last word, as no other transport is allowed.</summary>
    public bool IsOnly { get; init; }
}

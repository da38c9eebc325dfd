using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>How far each client of a user has processed. Monotonic within an epoch; another epoch replaces.</summary>
public sealed class AckStore
{
    /// <summary>Most clients kept a user; the longest unused goes first.</summary>
    public const int MaxClients = 32;

    /// <summary>The client's last ack, or null.</summary>
    public Task<Cursor?> ReadAsync(StreamKey stream, string client, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stores acks, many at once. One that is behind the stored one of the same epoch is ignored.</summary>
    public Task WriteAsync(IReadOnlyCollection<ClientAck> acks, CancellationToken cancellationToken) => throw new NotImplementedException();
}

public readonly record struct ClientAck(StreamKey Stream, string Client, Cursor Cursor);

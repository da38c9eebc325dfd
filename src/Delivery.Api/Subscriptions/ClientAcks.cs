using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Which acks of one connection's client count: those of what the connection vouched for, by sending it or by finding the
/// client's own cursor good. Thread-safe but for <see cref="Settle"/>.
/// </summary>
/// <param name="start">The cursor the client came with, where that counts as its ack once it was found good.</param>
internal sealed class ClientAcks(AckCoalescer acks, StreamKey stream, string client, Cursor? start)
{
    private readonly Lock _lock = new();
    private Cursor? _vouched;
    private Cursor? _start = start;

    public void Take(Cursor ack)
    {
        if (IsVouchedFor(ack))
        {
            acks.Note(stream, client, ack);
        }
    }

    /// <summary>Notes how far the connection vouches now.</summary>
    /// <param name="isReset">The client was told to start over: where it came from is no ack.</param>
    public void Settle(Cursor? vouched, bool isReset)
    {
        lock (_lock)
        {
            _vouched = vouched;
        }

        var ack = isReset ? null : _start;
        _start = null;
        if (ack is { IsOldest: false } given)
        {
            Take(given);
        }
    }

    private bool IsVouchedFor(Cursor ack)
    {
        lock (_lock)
        {
            return _vouched is { } vouched && vouched.Epoch == ack.Epoch && ack.Position <= vouched.Position;
        }
    }
}

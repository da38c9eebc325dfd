using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>One stream's tail and those who read it. Thread-safe.</summary>
internal sealed class Feed(StreamKey stream)
{
    private readonly Lock _lock = new();
    private readonly FeedTail _tail = new(stream);
    private readonly HashSet<Signal> _readers = [];
    private long _idleSince;
    private bool _closed;

    public StreamKey Stream => stream;

    /// <summary>False: the feed was closed in the meantime, take the stream's new one.</summary>
    public bool TryEnter(Signal reader)
    {
        lock (_lock)
        {
            return !_closed && _readers.Add(reader);
        }
    }

    public void Leave(Signal reader, long timestamp)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            _idleSince = timestamp;
        }
    }

    /// <summary>Closes the feed if it had no reader since a timestamp.</summary>
    public bool TryClose(long idleSince)
    {
        lock (_lock)
        {
            return _closed = _readers.Count == 0 && _idleSince < idleSince;
        }
    }

    public T Read<T>(Func<FeedTail, T> read)
    {
        lock (_lock)
        {
            return read(_tail);
        }
    }

    public Offered Offer(long generation, in BusPageStream part, FeedBounds bounds, long now)
    {
        lock (_lock)
        {
            var offered = _tail.Offer(new History(generation, part.Incarnation), part.First, part.Bodies, bounds, now);
            if (offered == Offered.Moved)
            {
                PulseReaders();
            }

            return offered;
        }
    }

    public void Announce(StreamHead head, FeedBounds bounds, long began, long now)
    {
        lock (_lock)
        {
            _tail.Announce(head, began, now);
            _tail.Trim(bounds);
            PulseReaders();
        }
    }

    /// <summary>Takes in a page of the log; where it ends at the head, the other readers may as well have it.</summary>
    public void Announce(LogPage page, FeedBounds bounds, long began, long now)
    {
        lock (_lock)
        {
            if (_tail.Announce(page.Head, began, now) && page.Events is [{ Position: var first }, ..]
                && page.Events[^1].Position == page.Head.Head)
            {
                var history = new History(page.Head.Generation, page.Head.Incarnation);
                _tail.Offer(history, first, [.. page.Events.Select(e => e.Body)], bounds, now);
            }

            PulseReaders();
        }
    }

    private void PulseReaders()
    {
        foreach (var reader in _readers)
        {
            reader.Pulse();
        }
    }
}

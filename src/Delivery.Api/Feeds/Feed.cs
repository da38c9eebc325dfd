using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>One stream's tail and those who read it. Thread-safe.</summary>
internal sealed class Feed(StreamKey stream, FeedMemory memory)
{
    private readonly Lock _lock = new();
    private readonly FeedTail _tail = new(stream);
    private readonly List<Signal> _readers = [];
    private long _idleSince;
    private bool _headWanted;
    private bool _closed;

    public StreamKey Stream => stream;

    /// <summary>False: the feed was closed in the meantime, take the stream's new one.</summary>
    public bool TryEnter(Signal reader)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            _readers.Add(reader);
            return true;
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

    /// <summary>Closes the feed, and lets go of its tail, if it had no reader since a timestamp.</summary>
    public bool TryClose(long idleSince)
    {
        lock (_lock)
        {
            if (_readers.Count > 0 || _idleSince >= idleSince)
            {
                return false;
            }

            _closed = true;
            memory.Changed(-_tail.Bytes);
            _tail.Trim(default);
            return true;
        }
    }

    /// <summary>Has the readers woken by the next head that is read, whatever it says.</summary>
    public void WantHead()
    {
        lock (_lock)
        {
            _headWanted = true;
        }
    }

    public T Read<T>(Func<FeedTail, T> read)
    {
        lock (_lock)
        {
            return read(_tail);
        }
    }

    public T Read<TState, T>(TState state, Func<FeedTail, TState, T> read)
    {
        lock (_lock)
        {
            return read(_tail, state);
        }
    }

    public Offered Offer(long generation, in BusPageStream part, long now)
    {
        lock (_lock)
        {
            var offered = Keep(new History(generation, part.Incarnation), part.First, part.Bodies, now);
            if (offered == Offered.Moved)
            {
                PulseReaders();
            }

            return offered;
        }
    }

    public void Announce(StreamHead head, long began, long now)
    {
        lock (_lock)
        {
            var before = _tail.Known;
            var held = _tail.Bytes;
            _tail.Announce(head, began, now);
            _tail.Trim(memory.BoundsOf(held));
            memory.Changed(_tail.Bytes - held);
            PulseIfTold(before);
        }
    }

    /// <summary>Takes in a page of the log; where it ends at the head, the other readers may as well have it.</summary>
    public void Announce(LogPage page, long began, long now)
    {
        lock (_lock)
        {
            var before = _tail.Known;
            var held = _tail.Bytes;
            var taken = _tail.Announce(page.Head, began, now);
            memory.Changed(_tail.Bytes - held);
            if (taken && page.Events is [{ Position: var first }, ..] && first + page.Events.Count - 1 == page.Head.Head)
            {
                Keep(new History(page.Head.Generation, page.Head.Incarnation), first, page.Bodies(), now);
            }

            PulseIfTold(before);
        }
    }

    private Offered Keep(History history, long first, IReadOnlyList<ReadOnlyMemory<byte>> bodies, long now)
    {
        if (_closed)
        {
            return Offered.Stale;
        }

        var held = _tail.Bytes;
        var offered = _tail.Offer(history, first, bodies, memory.BoundsOf(held), now);
        memory.Changed(_tail.Bytes - held);
        return offered;
    }

    // A pass over all heads tells most readers nothing new; only those who wait for a fresh head are to look again then.
    private void PulseIfTold(TailKnowledge before)
    {
        if (_headWanted || _tail.Known != before)
        {
            _headWanted = false;
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

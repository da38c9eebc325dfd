using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// What a node knows of one stream: its history, its head, and the hot tail, a contiguous run of the newest events,
/// bounded in events and bytes. Pure; one thread at a time. The log is the truth, pages are hints: a page never changes
/// the history, and what the tail lacks is read from the log.
/// </summary>
internal sealed class FeedTail(StreamKey stream)
{
    // Dropped bodies leave empty slots in front, which go many at a time: a full tail is not shifted with every event.
    private readonly List<ReadOnlyMemory<byte>> _slots = [];
    private int _empty;
    private long _first = 1;
    private long _bytes;
    private long _learned;

    public StreamKey Stream => stream;

    /// <summary>Null until a page or the log told.</summary>
    public History? History { get; private set; }

    /// <summary>The history's epoch; null until known.</summary>
    public string? Epoch { get; private set; }

    /// <summary>Whether the log has told where the stream stands.</summary>
    public bool HeadKnown { get; private set; }

    /// <summary>Position of the newest event known, by log or bus.</summary>
    public long Head { get; private set; }

    /// <summary>Retention removed everything up to here.</summary>
    public long Trimmed { get; private set; }

    /// <summary>Tick at which the latest head read that was taken in had begun; 0 for none.</summary>
    public long AsOf { get; private set; }

    /// <summary>
    /// Where a reader from now on starts that came before the log told: the lower of the first position offered - 1 and
    /// the first head read; until then the former alone. Null while neither is known.
    /// </summary>
    public long? FirstSeen { get; private set; }

    /// <summary>Bytes of the bodies in the tail.</summary>
    public long Bytes => _bytes;

    /// <summary>Number of events in the tail.</summary>
    public int Count => _slots.Count - _empty;

    /// <summary>What readers wait for to change, beside events.</summary>
    public TailKnowledge Known => new(History, HeadKnown, Head, Trimmed);

    private long Next => _first + Count;

    /// <summary>Takes in one stream's part of a page.</summary>
    /// <param name="first">Position of the first body; with no bodies, of an event that only the log has.</param>
    /// <param name="now">Tick of this moment.</param>
    public Offered Offer(
        History history, long first, IReadOnlyList<ReadOnlyMemory<byte>> bodies, FeedBounds bounds, long now)
    {
        ArgumentNullException.ThrowIfNull(bodies);
        if (History is { } known && history != known)
        {
            if (history.CompareTo(known) < 0)
            {
                return Offered.Stale;
            }

            if (HeadKnown)
            {
                return Offered.HeadNeeded;
            }

            // Only pages told so far: the newest history among them is the best guess until the log tells.
            Forget();
        }

        Become(history, now);
        if (!HeadKnown)
        {
            FirstSeen = Math.Min(FirstSeen ?? long.MaxValue, first - 1);
        }

        var last = bodies.Count == 0 ? first : first + bodies.Count - 1;
        var moved = last > Head;
        if (moved)
        {
            (Head, _learned) = (last, now);
        }

        return Keep(first, bodies, bounds) || moved ? Offered.Moved : Offered.Stale;
    }

    /// <summary>Takes in where the log says the stream stands.</summary>
    /// <param name="began">Tick taken before the log was asked: it knew everything learned until then.</param>
    /// <param name="now">Tick of this moment.</param>
    /// <returns>False: the answer is older than what is known already.</returns>
    public bool Announce(StreamHead read, long began, long now)
    {
        var history = new History(read.Generation, read.Incarnation);
        var fresh = began > _learned;
        if (History is { } known && history != known)
        {
            if (history.CompareTo(known) < 0 && !fresh)
            {
                return false;
            }

            Replace(history, read, now);
        }
        else
        {
            Become(history, now);
            FirstSeen = HeadKnown ? FirstSeen : Math.Min(FirstSeen ?? long.MaxValue, read.Head);
            MoveHead(read, fresh, now);
        }

        HeadKnown = true;
        AsOf = Math.Max(AsOf, began);
        return true;
    }

    /// <summary>Whether the tail holds the event after a position.</summary>
    public bool HoldsAfter(long position) => position + 1 >= _first && position + 1 < Next;

    /// <summary>Events after a position out of the tail, one at least, for a position that <see cref="HoldsAfter"/>.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Read(long after, int limit, long maxBytes)
    {
        var start = _empty + (int)(after + 1 - _first);
        return _slots.GetRange(start, FrameCut.Count(_slots, start, static body => body.Length, limit, maxBytes));
    }

    /// <summary>Drops the oldest events until the tail is within bounds; nothing is kept of an event that alone exceeds them.</summary>
    public void Trim(FeedBounds bounds)
    {
        while (Count > 0 && (Count > bounds.Events || _bytes > bounds.Bytes))
        {
            _bytes -= _slots[_empty].Length;
            _slots[_empty++] = default;
            _first++;
        }

        if (_empty > Count)
        {
            _slots.RemoveRange(0, _empty);
            _empty = 0;
        }
    }

    private void Become(History history, long now)
    {
        if (History is null)
        {
            (History, _learned) = (history, now);
            Epoch = Contracts.Epoch.Of(history.Generation, stream, history.Incarnation);
        }
    }

    private void Replace(History history, StreamHead read, long now)
    {
        // A reader that waits for its start since the former history must not miss the new one's events.
        var start = HeadKnown ? read.Trimmed : read.Head;
        Forget();
        Become(history, now);
        (Head, Trimmed, FirstSeen) = (read.Head, read.Trimmed, start);
    }

    private void Forget()
    {
        Clear(1);
        (History, Epoch, Head, FirstSeen) = (null, null, 0, null);
    }

    private void MoveHead(StreamHead read, bool fresh, long now)
    {
        Trimmed = fresh ? read.Trimmed : Math.Max(Trimmed, read.Trimmed);
        if (read.Head > Head)
        {
            (Head, _learned) = (read.Head, now);
        }
        else if (fresh && read.Head < Head)
        {
            // The log went back without a new generation: what lay beyond is no longer committed.
            Clear(read.Head + 1);
            (Head, _learned) = (read.Head, now);
        }
    }

    private void Clear(long first)
    {
        _slots.Clear();
        (_first, _bytes, _empty) = (first, 0, 0);
    }

    private bool Keep(long first, IReadOnlyList<ReadOnlyMemory<byte>> bodies, FeedBounds bounds)
    {
        if (bodies.Count == 0 || first + bodies.Count <= Next)
        {
            return false;
        }

        var from = NewestThatFit(first, bodies, bounds);
        if (first + from > Next)
        {
            Clear(first + from);
        }

        // Bodies are slices of a whole message. Each kept one gets memory of its own, so that it holds nothing but itself.
        for (var i = from; i < bodies.Count; i++)
        {
            _slots.Add(bodies[i].ToArray());
            _bytes += bodies[i].Length;
        }

        Trim(bounds);
        return true;
    }

    /// <summary>Index of the first body that is new and, with those behind it, within bounds.</summary>
    private int NewestThatFit(long first, IReadOnlyList<ReadOnlyMemory<byte>> bodies, FeedBounds bounds)
    {
        var oldest = (int)Math.Max(0, Next - first);
        var from = bodies.Count;
        for (long bytes = 0; from > oldest && bodies.Count - from < bounds.Events; from--)
        {
            bytes += bodies[from - 1].Length;
            if (bytes > bounds.Bytes)
            {
                break;
            }
        }

        return from;
    }
}

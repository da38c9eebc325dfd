using System.Diagnostics.CodeAnalysis;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Cuts batches into pages, in the order they came: as many events as are there, at most <paramref name="pageBytes"/> a
/// page or one event. Pure; one thread at a time.
/// </summary>
internal sealed class PagePlanner(int pageBytes)
{
    private readonly Queue<(PendingBatch Batch, int Range)> _ranges = [];
    private int _offset;

    /// <summary>Bytes of the bodies that wait.</summary>
    public long WaitingBytes { get; private set; }

    /// <summary>Since when the oldest event that waits is in the relay; null when none does.</summary>
    public long? WaitingSince => _ranges.TryPeek(out var next) ? next.Batch.Since : null;

    public bool IsEmpty => _ranges.Count == 0;

    /// <summary>Takes a batch in and holds it until its last event went into a page.</summary>
    public void Add(PendingBatch batch)
    {
        var ranges = batch.Batch.Ranges;
        for (var i = 0; i < ranges.Count; i++)
        {
            if (ranges[i].Events.Count > 0)
            {
                batch.Hold();
                _ranges.Enqueue((batch, i));
            }
        }

        WaitingBytes += batch.Batch.Bytes;
    }

    /// <summary>The next page, each of its batches held once for it.</summary>
    public bool TryTake([NotNullWhen(true)] out PageDraft? page)
    {
        page = null;
        while (_ranges.TryPeek(out var next))
        {
            page ??= new PageDraft(next.Batch.Batch.Generation, pageBytes);
            if (next.Batch.Batch.Generation != page.Generation || !TryFill(page, next.Batch, next.Batch.Batch.Ranges[next.Range]))
            {
                return true;
            }

            _ranges.Dequeue();
            _offset = 0;
            next.Batch.Done();
        }

        return page is not null;
    }

    private bool TryFill(PageDraft page, PendingBatch batch, CommittedRange range)
    {
        for (; _offset < range.Events.Count; _offset++)
        {
            var body = range.Events[_offset].Body;
            if (!page.TryAdd(batch, range.Stream, range.Incarnation, range.First + _offset, body))
            {
                return false;
            }

            WaitingBytes -= body.Length;
        }

        return true;
    }
}

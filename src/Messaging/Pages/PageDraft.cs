using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>What goes into one page, before it has a number. Fills up to a limit; one thread at a time.</summary>
internal sealed class PageDraft(long generation, int limit)
{
    // What the index says about one event and about one stream, in bytes: an estimate from above for ordinary keys.
    private const int EventOverhead = 8;
    private const int StreamOverhead = 64;

    private readonly Dictionary<StreamKey, PageDraftStream> _latest = [];
    private readonly List<PageDraftStream> _streams = [];
    private readonly HashSet<PendingBatch> _batches = [];
    private long _cost;

    public long Generation { get; } = generation;
    public int Events { get; private set; }
    public IReadOnlyList<PageDraftStream> Streams => _streams;

    /// <summary>The batches that have events here, each once.</summary>
    public IReadOnlyCollection<PendingBatch> Batches => _batches;

    /// <summary>Adds an event, unless the page holds some already and would outgrow its limit.</summary>
    public bool TryAdd(PendingBatch batch, StreamKey stream, long incarnation, long position, ReadOnlyMemory<byte> body)
    {
        var byPosition = body.Length > limit || body.IsEmpty;
        var continued = !byPosition
            && _latest.TryGetValue(stream, out var latest)
            && latest.Incarnation == incarnation
            && latest.Bodies.Count > 0
            && latest.First + latest.Bodies.Count == position
                ? latest
                : null;
        var cost = EventOverhead + (byPosition ? 0 : body.Length)
            + (continued is null ? StreamOverhead + stream.Value.Length : 0);
        if (Events > 0 && _cost + cost > limit)
        {
            return false;
        }

        var part = continued ?? Begin(stream, incarnation, position);
        if (!byPosition)
        {
            part.Bodies.Add(body);
        }

        _cost += cost;
        Events++;
        if (_batches.Add(batch))
        {
            batch.Hold();
        }

        return true;
    }

    private PageDraftStream Begin(StreamKey stream, long incarnation, long position)
    {
        var part = new PageDraftStream(stream, incarnation, position, []);
        _streams.Add(part);
        _latest[stream] = part;
        return part;
    }
}

/// <param name="Bodies">Contiguous from <paramref name="First"/>; empty when the event there is too large for the bus.</param>
internal sealed record PageDraftStream(
    StreamKey Stream, long Incarnation, long First, List<ReadOnlyMemory<byte>> Bodies);

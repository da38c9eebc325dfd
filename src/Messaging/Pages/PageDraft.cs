using System.Text.Encodings.Web;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>What goes into one page, before it has a number. Fills up to a limit; one thread at a time.</summary>
internal sealed class PageDraft(long generation, int limit)
{
    // What a page says about itself, about one stream beside its key, and about one event, in bytes at most.
    private const int PageOverhead = 512;
    private const int StreamOverhead = 96;
    private const int EventOverhead = 10;

    private readonly Dictionary<StreamKey, PageDraftStream> _latest = [];
    private readonly List<PageDraftStream> _streams = [];
    private readonly HashSet<PendingBatch> _batches = [];
    private long _cost = PageOverhead;

    public long Generation { get; } = generation;
    public int Events { get; private set; }

    /// <summary>Since when its oldest event is in the relay.</summary>
    public long Since { get; private set; } = long.MaxValue;

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
        var key = continued?.Key ?? JsonEncodedText.Encode(stream.Value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        var cost = EventOverhead + (byPosition ? 0 : body.Length)
            + (continued is null ? StreamOverhead + key.EncodedUtf8Bytes.Length : 0);
        if (Events > 0 && _cost + cost > limit)
        {
            return false;
        }

        var part = continued ?? Begin(stream, key, incarnation, position);
        if (!byPosition)
        {
            part.Bodies.Add(body);
        }

        _cost += cost;
        Events++;
        Since = Math.Min(Since, batch.Since);
        if (_batches.Add(batch))
        {
            batch.Hold();
        }

        return true;
    }

    private PageDraftStream Begin(StreamKey stream, JsonEncodedText key, long incarnation, long position)
    {
        var part = new PageDraftStream(key, incarnation, position, []);
        _streams.Add(part);
        _latest[stream] = part;
        return part;
    }
}

/// <param name="Key">The stream's key as it stands in JSON.</param>
/// <param name="Bodies">Contiguous from <paramref name="First"/>; empty when the event there is too large for the bus.</param>
internal sealed record PageDraftStream(
    JsonEncodedText Key, long Incarnation, long First, List<ReadOnlyMemory<byte>> Bodies);

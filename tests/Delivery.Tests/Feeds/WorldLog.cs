using System.Text;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

/// <summary>What is committed in a <see cref="FeedWorld"/>, in every history it ever had.</summary>
internal sealed class WorldLog
{
    public static readonly StreamKey Stream = StreamKey.Of("t", "u");

    private readonly Dictionary<string, List<byte[]>> _committed = [];
    private int _serial;

    public WorldLog() => _committed[EpochNow] = [];

    public History History { get; private set; } = new(1, 1);

    public long Trimmed { get; private set; }

    public string EpochNow => EpochOf(History);

    public int Count => Events.Count;

    public StreamHead Head => new(History.Generation, History.Incarnation, Count, Trimmed);

    private List<byte[]> Events => _committed[EpochNow];

    public static string EpochOf(History history) => Epoch.Of(history.Generation, Stream, history.Incarnation);

    public bool Knows(string epoch) => _committed.ContainsKey(epoch);

    public bool Holds(string epoch, long position, ReadOnlySpan<byte> body) =>
        body.SequenceEqual(_committed[epoch][(int)position - 1]);

    public List<byte[]> Append(int count)
    {
        var bodies = Enumerable.Range(0, count).Select(_ => Encoding.UTF8.GetBytes($"{{\"n\":{++_serial}}}")).ToList();
        Events.AddRange(bodies);
        return bodies;
    }

    public void Trim(int choice) => Trimmed += choice % (Count - Trimmed + 1);

    /// <summary>An erasure empties the stream; a restore keeps a prefix and goes on differently.</summary>
    public void ChangeHistory(int choice)
    {
        var kept = choice % 2 == 0 ? [] : Events.Take(choice % (Count + 1)).ToList();
        History = choice % 2 == 0
            ? History with { Incarnation = History.Incarnation + 1 }
            : new History(History.Generation + 1, Math.Max(1, History.Incarnation - (choice % 3)));
        _committed[EpochNow] = kept;
        Trimmed = Math.Min(Trimmed, kept.Count);
    }

    public LogPage Read(long after)
    {
        var events = Events
            .Select((body, i) => new LogEvent(i + 1, body))
            .Where(e => e.Position > Math.Max(after, Trimmed))
            .Take(8)
            .ToList();
        return new LogPage(Head, events, events.Count == 0 ? after : events[^1].Position);
    }
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What the log holds of an append's streams, ids and runs, read while their heads are locked.</summary>
/// <param name="Heads">The locked heads; a stream that is not there could not be locked without waiting.</param>
/// <param name="Known">Events that are stored already, by their ids.</param>
/// <param name="OutboxId">Reserved for the outbox row.</param>
/// <param name="Identity">What the generation is to hold for, where nothing was ever appended; else null.</param>
/// <param name="Transaction">The database's number of the transaction; null where it has none.</param>
internal sealed record AppendLookup(
    long Generation,
    long OutboxId,
    IReadOnlyDictionary<StreamKey, StreamHead> Heads,
    IReadOnlyDictionary<(StreamKey Stream, Guid Id), KnownEvent> Known,
    IReadOnlyDictionary<RunKey, RunState> Runs,
    DatabaseIdentity? Identity = null,
    ulong? Transaction = null);

/// <summary>Another one than before means that commits may have been lost.</summary>
internal sealed record DatabaseIdentity(string SystemId, string Timeline);

internal readonly record struct KnownEvent(long Position, long Sequence, byte[] Hash);

/// <param name="Attempt">Null: there is no such run yet.</param>
internal sealed record RunState(string Thread, bool HasEnded, int? Attempt, long LastSequence)
{
    public Verdict Judge(NewEvent e) =>
        HasEnded ? Verdict.RunEnded
        : e.Attempt != (Attempt ?? 0) ? Verdict.Fenced
        : e.Thread != Thread ? Verdict.ThreadMismatch
        : e.Sequence != 0 && e.Sequence != LastSequence + 1 ? Verdict.SequenceMismatch
        : Verdict.Accepted;

    public RunState After(NewEvent e) => this with { LastSequence = LastSequence + 1, HasEnded = HasEnded || e.IsTerminal };
}

/// <summary>What an append does to the log: nothing else is written, in either dialect.</summary>
/// <param name="Outcomes">One a unit, in the order given.</param>
/// <param name="Events">What is inserted; positions of a stream follow each other.</param>
/// <param name="Runs">How the runs concerned move on.</param>
/// <param name="Ranges">What each stream grows by; its head moves to the range's last position.</param>
internal sealed record AppendPlan(
    long Generation,
    long OutboxId,
    IReadOnlyList<UnitOutcome> Outcomes,
    IReadOnlyList<PlannedEvent> Events,
    IReadOnlyCollection<PlannedRun> Runs,
    IReadOnlyList<PlannedRange> Ranges,
    DatabaseIdentity? Identity,
    ulong? Transaction)
{
    public bool StoresNothing => Events.Count == 0;

    /// <summary>The pointers that the outbox row holds.</summary>
    public string OutboxPayload => Persistence.OutboxPayload.Write(
        Ranges.Select(range => new OutboxRange(range.Stream, range.First, range.Last)));

    /// <summary>What is done once the plan is carried out.</summary>
    public StoredAppend Stored => new(
        Outcomes,
        StoresNothing ? null : new CommittedBatch(OutboxId, Generation, [.. Ranges.Select(range => range.Committed)], null),
        Generation,
        Transaction);
}

/// <param name="Body">With the sequence that the log gave, where the producer gave none.</param>
internal readonly record struct PlannedEvent(NewEvent Event, long Position, long Sequence, ReadOnlyMemory<byte> Body);

/// <summary>A stream's new events; grows while the plan is made.</summary>
internal sealed class PlannedRange(StreamKey stream, StreamHead head)
{
    private readonly List<CommittedEvent> _events = [];

    public StreamKey Stream => stream;
    public long First => head.Head + 1;
    public long Last => head.Head + _events.Count;
    public CommittedRange Committed => new(stream, head.Incarnation, First, _events);

    public void Add(string type, ReadOnlyMemory<byte> body) => _events.Add(new CommittedEvent(type, body));
}

/// <summary>A run's new events, summed up; grows while the plan is made.</summary>
internal sealed class PlannedRun(RunKey key, string thread, long firstPosition)
{
    public RunKey Key => key;
    public string Thread => thread;

    /// <summary>Of the first of the new events.</summary>
    public long FirstPosition => firstPosition;

    public long LastSequence { get; private set; }
    public int? LeaseSeconds { get; private set; }
    public bool HasStarted { get; private set; }

    /// <summary>Null: it goes on.</summary>
    public RunStatus? Ending { get; private set; }

    public void Add(NewEvent e, long sequence)
    {
        LastSequence = sequence;
        LeaseSeconds = e.LeaseSeconds ?? LeaseSeconds;
        HasStarted |= e.Type == EventTypes.AgentStarted;
        Ending = e.Type switch
        {
            EventTypes.AgentCompleted => RunStatus.Completed,
            EventTypes.AgentFailed => RunStatus.Failed,
            EventTypes.AgentCancelled => RunStatus.Cancelled,
            _ => Ending,
        };
    }
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What one committed transaction owes to the bus, in memory: handed over after commit, or read by a sweep.</summary>
/// <param name="OutboxId">The row to delete once the broker confirmed.</param>
public sealed record CommittedBatch(
    long OutboxId, long Generation, IReadOnlyList<CommittedRange> Ranges, CommittedCommand? Command)
{
    // What a batch costs beside its bodies; bounds the number of commands, which have none.
    private const int Overhead = 512;

    /// <summary>Bytes of all bodies.</summary>
    public long Bytes { get; } = Ranges.Sum(range => range.Events.Sum(e => (long)e.Body.Length));

    /// <summary>Bytes it takes in memory, about.</summary>
    public long Cost => Bytes + Overhead;
}

/// <summary>Contiguous events of one stream.</summary>
/// <param name="First">Position of the first.</param>
public sealed record CommittedRange(
    StreamKey Stream, long Incarnation, long First, IReadOnlyList<CommittedEvent> Events);

/// <param name="Body">The event's JSON as UTF-8 without its cursor.</param>
public readonly record struct CommittedEvent(string Type, ReadOnlyMemory<byte> Body);

/// <param name="Type">Name of the command record: <c>StartRun</c> or <c>CancelRun</c>.</param>
/// <param name="Message">Its JSON.</param>
public sealed record CommittedCommand(string Type, string Message);

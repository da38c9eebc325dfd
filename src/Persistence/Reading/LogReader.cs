using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Reads the log. Throws <see cref="System.Data.Common.DbException"/> or <see cref="TimeoutException"/> when it can't.</summary>
public sealed class LogReader(PipelineDatabase database)
{
    /// <summary>Most positions one call of <see cref="ReadThreadAsync"/> looks at.</summary>
    public const int ThreadWindow = 5_000;

    // A page is cut to its bytes on arrival. A larger body behind small ones would often come along in vain: it comes alone.
    private const int OrdinaryBody = 32 * 1024;

    /// <summary>
    /// Events after a position, oldest first, at most <paramref name="limit"/> and <paramref name="maxBytes"/> of bodies
    /// (one event at least, where there is one); it may be fewer though more follow. The events are contiguous from
    /// max(after, trimmed) + 1; the head is at least the last of them.
    /// </summary>
    public Task<LogPage> ReadAsync(
        StreamKey stream, long after, int limit, int maxBytes, CancellationToken cancellationToken) =>
        ReadPageAsync(Query(stream, null, after, limit, maxBytes), cancellationToken);

    /// <summary>
    /// As <see cref="ReadAsync"/>, one thread's events only: <see cref="LogPage.Scanned"/> says how far it looked, so the
    /// page may be empty though more follows.
    /// </summary>
    public Task<LogPage> ReadThreadAsync(
        StreamKey stream, string thread, long after, int limit, int maxBytes, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(thread);
        return ReadPageAsync(Query(stream, thread, after, limit, maxBytes), cancellationToken);
    }

    /// <summary>
    /// Heads of the streams; one that has no row yet is there with incarnation 1 and head 0. At most 1,000 streams.
    /// </summary>
    public Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(streams);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(streams.Count, Limits.PageEvents);
        return database.Log.ReadHeadsAsync(streams, cancellationToken);
    }

    private async Task<LogPage> ReadPageAsync(LogQuery query, CancellationToken cancellationToken) =>
        await database.Log.ReadAsync(query, cancellationToken)
            ?? (await database.Log.ReadAsync(query with { Limit = 1, LargestBody = int.MaxValue }, cancellationToken))!;

    private static LogQuery Query(StreamKey stream, string? thread, long after, int limit, int maxBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);

        // A position no stream will ever have: what is added to it must not overflow.
        return new LogQuery(
            stream, thread, Math.Min(after, long.MaxValue - ThreadWindow), limit, maxBytes, Math.Min(maxBytes, OrdinaryBody));
    }
}

/// <summary>Where a stream's history stands.</summary>
/// <param name="Generation">The database's generation, for <see cref="Epoch.Of"/>.</param>
/// <param name="Incarnation">The stream's, from 1, for <see cref="Epoch.Of"/>; an erasure raises it.</param>
/// <param name="Head">Position of the newest event, 0 for none.</param>
/// <param name="Trimmed">Retention removed everything up to here.</param>
public readonly record struct StreamHead(long Generation, long Incarnation, long Head, long Trimmed);

/// <summary>A part of a stream, and where its history stood when that was read.</summary>
/// <param name="Head">Of the same snapshot as the events.</param>
/// <param name="Events">Oldest first; none when nothing follows, or nothing of the thread within <see cref="LogReader.ThreadWindow"/>.</param>
/// <param name="Scanned">Last position looked at; at least the last event's.</param>
public sealed record LogPage(StreamHead Head, IReadOnlyList<LogEvent> Events, long Scanned);

/// <summary>One stored event.</summary>
/// <param name="Position">Place in its stream, from 1.</param>
/// <param name="Body">The event's JSON as UTF-8 without its cursor.</param>
public readonly record struct LogEvent(long Position, ReadOnlyMemory<byte> Body);

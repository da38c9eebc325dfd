using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What an append did.</summary>
/// <param name="Generation">The database's generation under which it was done, for <see cref="Epoch.Of"/>; 0 for an append of nothing.</param>
/// <param name="Events">One entry an event, in the order given.</param>
public sealed record AppendResult(long Generation, IReadOnlyList<AppendedEvent> Events);

/// <summary>Where one event is in the log.</summary>
/// <param name="Stream">The user's stream.</param>
/// <param name="Incarnation">The stream's, for <see cref="Epoch.Of"/>.</param>
/// <param name="Id">The event's id, as given.</param>
/// <param name="Position">Place in the stream, from 1; a duplicate's first one.</param>
/// <param name="Sequence">Place in the run, given or filled in.</param>
/// <param name="Duplicate">The id was there already with the same content; nothing was stored now.</param>
public sealed record AppendedEvent(
    StreamKey Stream, long Incarnation, Guid Id, long Position, long Sequence, bool Duplicate);

/// <summary>Why the log refused an append. Nothing of it was stored.</summary>
public sealed class AppendRejectedException(AppendRejection reason, int index, string message) : Exception(message)
{
    /// <summary>Which rule it broke.</summary>
    public AppendRejection Reason { get; } = reason;

    /// <summary>Index of the first event that was refused.</summary>
    public int Index { get; } = index;
}

/// <summary>The rules of an append.</summary>
public enum AppendRejection
{
    /// <summary>The id exists with other content.</summary>
    IdConflict = 1,

    /// <summary>The run's last event plus one is another number.</summary>
    SequenceMismatch = 2,

    /// <summary>The run has its terminal event.</summary>
    RunEnded = 3,

    /// <summary>Another attempt executes the run: a worker claimed it, or took it over.</summary>
    Fenced = 4,

    /// <summary>The run belongs to another thread.</summary>
    ThreadMismatch = 5,
}

/// <summary>
/// The connection was lost at COMMIT, and the log could not be asked in time what became of it. Whoever repeats the append
/// with the same event ids finds out.
/// </summary>
public sealed class CommitOutcomeUnknownException(string message, Exception inner) : Exception(message, inner);

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What an append did: one entry an event, in the order given.</summary>
public sealed record AppendResult(long Generation, IReadOnlyList<AppendedEvent> Events);

/// <param name="Incarnation">The stream's, for <see cref="Epoch.Of"/>.</param>
/// <param name="Sequence">Place in the run, given or filled in.</param>
/// <param name="Duplicate">The id was there already with the same content; nothing was stored now.</param>
public sealed record AppendedEvent(
    StreamKey Stream, long Incarnation, Guid Id, long Position, long Sequence, bool Duplicate);

/// <summary>Why the log refused an append. Nothing of it was stored.</summary>
public sealed class AppendRejectedException(AppendRejection reason, int index, string message) : Exception(message)
{
    public AppendRejection Reason { get; } = reason;

    /// <summary>Index of the first event that was refused.</summary>
    public int Index { get; } = index;
}

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

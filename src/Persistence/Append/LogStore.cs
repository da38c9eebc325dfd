using System.Data.Common;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The log in one database dialect. Everything above it is the same for PostgreSQL and SQLite.</summary>
internal abstract class LogStore : IAsyncDisposable
{
    /// <summary>A context with its own connection.</summary>
    public abstract PipelineContext CreateContext();

    /// <summary>An open connection of the process's own, which no ambient transaction enlists.</summary>
    public abstract Task<DbConnection> OpenAsync(CancellationToken cancellationToken);

    /// <summary>The same for the transaction of a group, of which a process has <see cref="GroupAppender.Writers"/> at a time.</summary>
    public virtual Task<DbConnection> OpenForGroupAsync(CancellationToken cancellationToken) => OpenAsync(cancellationToken);

    /// <summary>Name of the EF Core provider that a caller's context must have.</summary>
    public abstract string ProviderName { get; }

    /// <summary>Whether the transaction is one of this dialect.</summary>
    public abstract bool Understands(DbTransaction transaction);

    /// <summary>
    /// Locks the heads, looks up what is there and judges the units, each all or nothing. Nothing is written, so whatever
    /// comes of it leaves the transaction usable.
    /// </summary>
    /// <exception cref="GenerationMovedException">The database is not the one the generation was set on; roll back, raise it, retry.</exception>
    public abstract Task<AppendPlan> PlanAsync(
        DbTransaction transaction, IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendMode mode, CancellationToken cancellationToken);

    /// <summary>Carries out a plan in the transaction that made it; with <paramref name="commit"/>, commits on the same way.</summary>
    /// <exception cref="CommitFailedException">Whether it is committed is unknown.</exception>
    public abstract Task StoreAsync(
        DbTransaction transaction, AppendPlan plan, AppendMode mode, bool commit, CancellationToken cancellationToken);

    /// <summary>Plans and stores, inside the transaction.</summary>
    /// <exception cref="GenerationMovedException">As for <see cref="PlanAsync"/>.</exception>
    public async Task<StoredAppend> AppendAsync(
        DbTransaction transaction, IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendMode mode, CancellationToken cancellationToken)
    {
        var plan = await PlanAsync(transaction, units, mode, cancellationToken);
        await StoreAsync(transaction, plan, mode, commit: false, cancellationToken);
        return plan.Stored;
    }

    /// <summary>Locks one head. Null: <paramref name="wait"/> is false and it is locked, or missing.</summary>
    /// <exception cref="GenerationMovedException">As for <see cref="AppendAsync"/>.</exception>
    public abstract Task<StreamHead?> LockAsync(
        DbTransaction transaction, StreamKey stream, bool wait, CancellationToken cancellationToken);

    /// <summary>A page, or null: its first event's body is larger than asked for.</summary>
    public abstract Task<LogPage?> ReadAsync(LogQuery query, CancellationToken cancellationToken);

    /// <inheritdoc cref="LogReader.ReadHeadsAsync"/>
    public abstract Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken);

    /// <summary>Raises the generation, once for however many processes ask.</summary>
    public abstract Task RaiseGenerationAsync(GenerationMovedException moved, CancellationToken cancellationToken);

    /// <summary>
    /// Whether what a transaction of this generation stored is committed, asked behind the locks that it held. Null: the database
    /// does not know.
    /// </summary>
    public virtual Task<bool?> WasCommittedAsync(DbTransaction asking, StoredAppend stored, CancellationToken cancellationToken) =>
        Task.FromResult<bool?>(null);

    /// <summary>What to do about an exception.</summary>
    public abstract Failure Classify(Exception exception);

    public abstract ValueTask DisposeAsync();
}

/// <param name="Wait">Create missing heads and wait for locked ones; false: skip units whose heads are missing or locked.</param>
/// <param name="Owner">The process whose relay gets the events handed over; null: any relay's.</param>
/// <param name="Own">The transaction is the log's own, and its settings may stay changed until it ends.</param>
internal readonly record struct AppendMode(bool Wait, Guid? Owner, bool Own);

/// <param name="Thread">Only this thread's events; null for all.</param>
/// <param name="LargestBody">The page ends before a body of more bytes.</param>
internal readonly record struct LogQuery(StreamKey Stream, string? Thread, long After, int Limit, int MaxBytes, int LargestBody);

internal enum Failure
{
    /// <summary>Repeating it is of no use.</summary>
    Permanent,

    /// <summary>The transaction is gone; doing it again may succeed.</summary>
    Transient,

    /// <summary>A lock was not to be had in time.</summary>
    LockTimeout,

    /// <summary>The server ended a statement that ran for too long.</summary>
    StatementTimeout,
}

/// <summary>The append met another system id or timeline than the generation was set on.</summary>
internal sealed class GenerationMovedException(DatabaseIdentity current, long generation)
    : Exception($"The database is now system {current.SystemId} on timeline {current.Timeline}; commits of generation {generation} may be lost")
{
    public DatabaseIdentity Current { get; } = current;
}

/// <summary>COMMIT was sent and failed: what was stored may be committed.</summary>
internal sealed class CommitFailedException(StoredAppend stored, Exception inner) : Exception("COMMIT failed; its outcome is unknown", inner)
{
    public StoredAppend Stored { get; } = stored;
}

using System.Data;
using System.Data.Common;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Appends events: the transactional outbox. Cancelling stops what has not reached COMMIT, and nothing is stored; once COMMIT
/// was sent, its outcome is waited for and the token no longer counts. Whatever else fails in the database is thrown as
/// <see cref="DbException"/>, after a few tries where trying again may help.
/// </summary>
public sealed class EventLog
{
    private readonly PipelineDatabase _database;
    private readonly EventEncoder _encoder;
    private readonly CallerCommit _callerCommit;
    private readonly GroupAppender _group;
    private readonly SameDatabase _same;

    internal EventLog(
        PipelineDatabase database, EventEncoder encoder, GroupAppender group, CallerCommit callerCommit, SameDatabase same)
    {
        _same = same;
        _database = database;
        _encoder = encoder;
        _group = group;
        _callerCommit = callerCommit;
    }

    /// <summary>
    /// Saves the caller's changes, appends the events and commits, as one; then hands the events to this process's relay.
    /// Times and ids are fixed before the first try, so repeating is safe, and the context accepts its changes once they
    /// are known to be committed. Works with retrying execution strategies, and repeats by itself: the changes are saved
    /// again, so that an interceptor may see them several times.
    /// </summary>
    /// <param name="db">Any context on the pipeline's database, without a transaction.</param>
    /// <param name="events">None: the changes are saved alone, and the result is empty.</param>
    /// <exception cref="InvalidEventException">An event is wrong; nothing was tried.</exception>
    /// <exception cref="AppendRejectedException">The log refused an event; nothing was saved.</exception>
    /// <exception cref="ArgumentException">The context is on another database than the log; nothing was saved.</exception>
    /// <exception cref="InvalidOperationException">There is a transaction already.</exception>
    /// <exception cref="TimeoutException">A stream stayed locked, or the log or COMMIT took too long; nothing was saved.</exception>
    /// <exception cref="DbUpdateException">The changes could not be saved, as from the context's own SaveChanges; nothing was.</exception>
    /// <exception cref="CommitOutcomeUnknownException">The outcome of the commit could not be found out.</exception>
    public async Task<AppendResult> CommitAsync(
        DbContext db, IReadOnlyList<AgentEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        RefuseAmbient();
        if (db.Database.ProviderName != _database.Log.ProviderName)
        {
            throw new ArgumentException(
                $"{db.GetType().Name} uses {db.Database.ProviderName}, but the log is on {_database.Log.ProviderName}; both must be in the same database",
                nameof(db));
        }

        if (db.Database.CurrentTransaction is not null || db.Database.GetEnlistedTransaction() is not null)
        {
            throw new InvalidOperationException(
                $"{db.GetType().Name} has a transaction already; let CommitAsync begin its own, or append inside yours with AppendAsync(transaction, events)");
        }

        ArgumentNullException.ThrowIfNull(events);
        if (events.Count == 0)
        {
            await db.SaveChangesAsync(cancellationToken);
            return new AppendResult(0, []);
        }

        return await _callerCommit.RunAsync(db, Encode(events), cancellationToken);
    }

    /// <summary>
    /// Appends inside a transaction that the caller owns and commits. Locks the streams at once; a savepoint undoes it.
    /// Any process's relay publishes the events within 250 ms of the commit. READ COMMITTED is best; with a stricter isolation
    /// an append that met a concurrent one fails as any statement does there (40001), and the transaction is to be repeated.
    /// </summary>
    /// <exception cref="ArgumentException">The transaction is in another database than the log.</exception>
    /// <exception cref="InvalidOperationException">
    /// It has ended; or it sees the database from before a failover, and can only be rolled back and begun again.
    /// </exception>
    /// <exception cref="InvalidEventException">An event is wrong; nothing was tried.</exception>
    /// <exception cref="AppendRejectedException">The log refused an event; nothing of the append is in the transaction, which stays usable.</exception>
    /// <exception cref="TimeoutException">A stream stayed locked; roll back, to a savepoint at least.</exception>
    public async Task<AppendResult> AppendAsync(
        DbTransaction transaction, IReadOnlyList<AgentEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        RefuseAmbient();
        if (!_database.Log.Understands(transaction))
        {
            throw new ArgumentException(
                $"{transaction.GetType().Name} is no transaction of {_database.Log.ProviderName}, where the log is", nameof(transaction));
        }

        if (transaction.Connection is not { State: ConnectionState.Open })
        {
            throw new InvalidOperationException("The transaction has ended already; append before it is committed or rolled back");
        }

        var unit = Encode(events);
        await _same.CheckAsync(transaction, cancellationToken);
        try
        {
            var mode = new AppendMode(Wait: true, Owner: null, Own: false);
            var stored = await _database.Log.AppendAsync(transaction, [unit], mode, cancellationToken);
            return stored.Units[0].ResultOrThrow();
        }
        catch (GenerationMovedException moved)
        {
            throw new InvalidOperationException(
                "The transaction's snapshot is from before the database's generation was raised; roll it back and begin again", moved);
        }
        catch (Exception exception) when (_database.AsTimeout(exception) is { } timeout)
        {
            throw timeout;
        }
    }

    /// <summary>
    /// Appends in a transaction of the log's own, which appends that come at the same time share: all or nothing; an unknown
    /// outcome is settled by the ids. Appends to one stream keep the order of their calls.
    /// </summary>
    /// <param name="cancellationToken">Ends the waiting; the events may still be stored. Repeat them with the same ids.</param>
    /// <exception cref="AppendRejectedException">The log refused an event; nothing was stored.</exception>
    /// <exception cref="TimeoutException">A stream stayed locked; nothing was stored.</exception>
    /// <exception cref="CommitOutcomeUnknownException">The outcome could not be found out; append again with the same ids.</exception>
    public Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> events, CancellationToken cancellationToken)
    {
        RefuseAmbient();
        return _group.AppendAsync(events, cancellationToken);
    }

    private List<NewEvent> Encode(IReadOnlyList<AgentEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var unit = events.Select(_encoder.Encode).ToList();
        AppendShape.Check(unit);
        return unit;
    }

    private static void RefuseAmbient()
    {
        if (Transaction.Current is not null)
        {
            throw new InvalidOperationException(
                "There is an ambient transaction (TransactionScope), which the log can't be part of: it may commit in two phases; use a transaction of the connection");
        }
    }
}

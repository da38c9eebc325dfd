using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Pipeline.Persistence;

/// <summary>Commits a caller's changes and events as one.</summary>
internal sealed class CallerCommit(
    PipelineDatabase database, AppendRunner runner, Failpoints failpoints, TimeProvider time,
    Microsoft.Extensions.Options.IOptions<PersistenceOptions> options)
{
    private static readonly TimeSpan SettleDelay = TimeSpan.FromMilliseconds(200);

    private readonly TimeSpan _settleFor = options.Value.CommandTimeout + options.Value.LockTimeout;

    public async Task<AppendResult> RunAsync(DbContext db, IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        // Before the transaction: whoever waits here holds no lock that the one in front might need.
        using var pass = await database.Gate.AcquireAsync(unit.Select(e => e.Stream), cancellationToken);
        var strategy = db.Database.CreateExecutionStrategy();
        var result = await strategy.ExecuteAsync(
            (db, unit),
            (state, token) => runner.RepeatAsync(inner => OnceAsync(state.db, state.unit, inner), token),
            cancellationToken);
        db.ChangeTracker.AcceptAllChanges();
        return result;
    }

    private async Task<AppendResult> OnceAsync(DbContext db, IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        StoredAppend stored;
        await using (var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken))
        {
            await db.SaveChangesAsync(acceptAllChangesOnSuccess: false, cancellationToken);
            stored = await database.Log.AppendAsync(transaction.GetDbTransaction(), [unit], runner.Mode(wait: true), cancellationToken);
            _ = stored.Units[0].ResultOrThrow();
            failpoints.Hit(Failpoints.InTransaction);
            try
            {
                // A COMMIT that was sent is waited for: cancelling it would only hide its outcome.
                await transaction.CommitAsync(CancellationToken.None);
            }
            catch (Exception exception)
            {
                await transaction.DisposeAsync();
                return await SettleAsync(unit, stored, exception) ?? throw Absent(exception);
            }
        }

        if (stored.Batch is { } batch)
        {
            runner.HandOver(batch);
        }

        return stored.Units[0].ResultOrThrow();
    }

    /// <summary>Asks on another connection, behind the head lock, whether the ids are there. Null: they are not.</summary>
    private async Task<AppendResult?> SettleAsync(IReadOnlyList<NewEvent> unit, StoredAppend stored, Exception lost)
    {
        if (stored.Batch is null)
        {
            throw Unknown("no event was new, so the log can't tell", lost);
        }

        using var bound = new CancellationTokenSource(_settleFor, time);
        while (true)
        {
            try
            {
                return await AskAsync(unit, stored, bound.Token);
            }
            catch (GenerationMovedException moved) when (!bound.IsCancellationRequested)
            {
                await database.Log.RaiseGenerationAsync(moved, bound.Token);
            }
            catch (Exception) when (!bound.IsCancellationRequested)
            {
                await Task.Delay(SettleDelay, time, CancellationToken.None);
            }
            catch (Exception exception)
            {
                throw Unknown("the log could not be asked: " + exception.Message, lost);
            }
        }
    }

    private async Task<AppendResult?> AskAsync(IReadOnlyList<NewEvent> unit, StoredAppend stored, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);

        // The append itself is the question: it finds all ids, or it stores some, which the rollback takes back.
        var found = await database.Log.AppendAsync(transaction, [unit], runner.Mode(wait: true), cancellationToken);
        await transaction.RollbackAsync(cancellationToken);
        return runner.Settle(stored, found);
    }

    private static Exception Absent(Exception exception)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(exception);
        return exception;
    }

    private static CommitOutcomeUnknownException Unknown(string why, Exception lost) => new(
        $"COMMIT failed and whether the changes and events are committed is unknown ({why}); read before saving them again", lost);
}

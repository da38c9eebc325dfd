using System.Data;
using System.Data.Common;
using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>Commits a caller's changes and events as one.</summary>
internal sealed class CallerCommit(
    PipelineDatabase database, SameDatabase same, AppendRunner runner, Failpoints failpoints, TimeProvider time,
    IOptions<PersistenceOptions> options)
{
    private static readonly TimeSpan SettleDelay = TimeSpan.FromMilliseconds(200);

    private readonly TimeSpan _timeout = options.Value.CommandTimeout;
    private readonly TimeSpan _settleFor = options.Value.CommandTimeout + options.Value.LockTimeout;

    public async Task<AppendResult> RunAsync(DbContext db, IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        // Before the transaction: whoever waits here holds no lock that the one in front might need.
        using var pass = await database.Gate.AcquireAsync(unit.Select(e => e.Stream), cancellationToken);
        var given = db.Database.GetCommandTimeout();
        var bound = Bound(db, given);
        db.Database.SetCommandTimeout(bound);
        try
        {
            var outcome = await db.Database.CreateExecutionStrategy().ExecuteAsync(
                token => TryAsync(() => runner.RepeatAsync(inner => OnceAsync(db, unit, bound, inner), token)), cancellationToken);
            var result = outcome.ResultOrThrow();
            db.ChangeTracker.AcceptAllChanges();
            return result;
        }
        finally
        {
            db.Database.SetCommandTimeout(given);
        }
    }

    /// <summary>
    /// What went wrong goes past the caller's execution strategy: it would repeat what was repeated already, or wrap it. It
    /// is asked at all because one that retries begins no transaction outside of its delegate.
    /// </summary>
    private static async Task<Outcome> TryAsync(Func<Task<Outcome>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception problem)
        {
            return new Outcome(null, ExceptionDispatchInfo.Capture(problem));
        }
    }

    /// <summary>The caller's command timeout; the log's own where that is none, for the streams are kept meanwhile.</summary>
    private TimeSpan Bound(DbContext db, int? given)
    {
        using var command = db.Database.GetDbConnection().CreateCommand();
        var seconds = given ?? command.CommandTimeout;
        return seconds > 0 ? TimeSpan.FromSeconds(seconds) : _timeout;
    }

    private async Task<Outcome> OnceAsync(DbContext db, IReadOnlyList<NewEvent> unit, TimeSpan bound, CancellationToken cancellationToken)
    {
        StoredAppend stored;
        await using (var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken))
        {
            await same.CheckAsync(transaction.GetDbTransaction(), cancellationToken);
            try
            {
                await db.SaveChangesAsync(acceptAllChangesOnSuccess: false, cancellationToken);
            }
            catch (Exception problem) when (IsTimeout(problem))
            {
                // The application's own rows: it is not the log's to repeat, nor to explain.
                return new Outcome(null, ExceptionDispatchInfo.Capture(problem));
            }

            stored = await database.Log.AppendAsync(transaction.GetDbTransaction(), [unit], runner.Mode(wait: true), cancellationToken);
            _ = stored.Units[0].ResultOrThrow();
            failpoints.Hit(Failpoints.InTransaction);
            try
            {
                await CommitAsync(transaction, bound);
            }
            catch (Exception problem)
            {
                await transaction.DisposeAsync();
                if (await SettleAsync(unit, stored, problem) is { } settled)
                {
                    return new Outcome(settled, null);
                }

                throw;
            }
        }

        return new Outcome(runner.Committed(stored), null);
    }

    /// <summary>Not by the caller's token: cancelling a COMMIT that was sent would only hide its outcome.</summary>
    private async Task CommitAsync(IDbContextTransaction transaction, TimeSpan bound)
    {
        using var timeout = new CancellationTokenSource(bound, time);
        try
        {
            await transaction.CommitAsync(timeout.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"COMMIT was not answered within {bound:c}, and nothing is committed; try again", late);
        }
    }

    private bool IsTimeout(Exception problem)
    {
        var isTimeout = database.Log.Classify(problem) is Failure.LockTimeout or Failure.StatementTimeout;
        for (var cause = problem; cause is not null && !isTimeout; cause = cause.InnerException)
        {
            isTimeout = cause is TimeoutException;
        }

        return isTimeout;
    }

    /// <summary>Whether it was committed after all. Null: it was not.</summary>
    private async Task<AppendResult?> SettleAsync(IReadOnlyList<NewEvent> unit, StoredAppend stored, Exception lost)
    {
        var (committed, found) = await AskAsync(unit, stored, lost);
        return committed switch
        {
            true => runner.Committed(stored),
            false => null,

            // By the ids, for which another caller's commit of the same events answers as well.
            null when stored.Batch is not null => runner.Settle(stored, found),
            null => throw Unknown("no event was new, so the log can't tell", lost),
        };
    }

    private async Task<(bool? Committed, StoredAppend Found)> AskAsync(IReadOnlyList<NewEvent> unit, StoredAppend stored, Exception lost)
    {
        using var bound = new CancellationTokenSource(_settleFor, time);
        while (true)
        {
            try
            {
                return await AskOnceAsync(unit, stored, bound.Token);
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

    /// <summary>
    /// On another connection, behind the head lock. The append itself is the question: it finds all ids, or it stores some, which
    /// the rollback takes back. Of a transaction of the same generation the database knows what became of it.
    /// </summary>
    private async Task<(bool? Committed, StoredAppend Found)> AskOnceAsync(
        IReadOnlyList<NewEvent> unit, StoredAppend stored, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);
        var found = await database.Log.AppendAsync(transaction, [unit], runner.Mode(wait: true), cancellationToken);
        var committed = found.Generation == stored.Generation
            ? await database.Log.WasCommittedAsync(transaction, stored, cancellationToken)
            : null;
        await transaction.RollbackAsync(cancellationToken);
        return (committed, found);
    }

    private static CommitOutcomeUnknownException Unknown(string why, Exception lost) => new(
        $"COMMIT failed and whether the changes and events are committed is unknown ({why}); read before saving them again", lost);

    /// <summary>One of the two.</summary>
    private sealed record Outcome(AppendResult? Result, ExceptionDispatchInfo? Problem)
    {
        public AppendResult ResultOrThrow()
        {
            // The caller's SaveChanges wraps what is transient, unless its strategy retries.
            if (Problem?.SourceException is InvalidOperationException { InnerException: DbException or DbUpdateException } wrapped)
            {
                ExceptionDispatchInfo.Throw(wrapped.InnerException!);
            }

            Problem?.Throw();
            return Result!;
        }
    }
}

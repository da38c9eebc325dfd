using System.Data;
using Microsoft.Extensions.Logging;

namespace Pipeline.Persistence;

/// <summary>Runs appends in transactions of the log's own, and repeats what may be repeated.</summary>
internal sealed partial class AppendRunner(
    PipelineDatabase database, ProcessIdentity identity, OutboxHandover handover, Failpoints failpoints, TimeProvider time,
    ILogger<AppendRunner> logger)
{
    private const int Tries = 5;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(10);

    private readonly ILogger _logger = logger;

    /// <summary>The mode of appends whose events this process's relay gets handed over.</summary>
    public AppendMode Mode(bool wait) => new(wait, handover.OwnerIn(identity), Own: true);

    /// <summary>
    /// One unit in a transaction of its own, waiting for its heads. After a COMMIT whose reply was lost, the next try finds
    /// the ids, or not: it asks under the head lock and on another connection. Who calls holds the streams' gates.
    /// </summary>
    public async Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        StoredAppend? unsettled = null;
        try
        {
            return await RepeatAsync(
                async token =>
                {
                    try
                    {
                        var stored = await OnceAsync([unit], wait: true, token);
                        return Settle(unsettled, stored) ?? stored.Units[0].ResultOrThrow();
                    }
                    catch (CommitFailedException failed)
                    {
                        unsettled = failed.Stored;
                        throw;
                    }
                },
                cancellationToken);
        }
        catch (Exception exception) when (unsettled is not null && exception is not AppendRejectedException)
        {
            throw new CommitOutcomeUnknownException(
                "The connection was lost while the events were committed, and the log can't be asked whether they were; append them again with the same ids",
                exception);
        }
    }

    /// <summary>Some units in one transaction, once. Who calls holds their streams' gates.</summary>
    /// <exception cref="CommitFailedException">Whether it is committed is unknown.</exception>
    public async Task<StoredAppend> OnceAsync(
        IReadOnlyList<IReadOnlyList<NewEvent>> units, bool wait, CancellationToken cancellationToken)
    {
        try
        {
            return await TransactAsync(units, wait, cancellationToken);
        }
        catch (GenerationMovedException moved)
        {
            await RaiseAsync(moved, cancellationToken);
            return await TransactAsync(units, wait, cancellationToken);
        }
    }

    private async Task<StoredAppend> TransactAsync(
        IReadOnlyList<IReadOnlyList<NewEvent>> units, bool wait, CancellationToken cancellationToken)
    {
        // What waits for its heads goes alone, and may keep its connection for long.
        await using var connection = wait
            ? await database.OpenAsync(cancellationToken)
            : await database.Log.OpenForGroupAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);
        var plan = await database.Log.PlanAsync(transaction, units, Mode(wait), cancellationToken);
        if (plan.StoresNothing)
        {
            return plan.Stored;
        }

        failpoints.Hit(Failpoints.InTransaction);

        // A COMMIT that was sent is waited for: cancelling it would only hide its outcome.
        await database.Log.StoreAsync(transaction, plan, Mode(wait), commit: true, CancellationToken.None);
        var stored = plan.Stored;
        HandOver(stored.Batch!);
        return stored;
    }

    /// <summary>Gives a committed batch to the relay.</summary>
    public void HandOver(CommittedBatch batch)
    {
        failpoints.Hit(Failpoints.AfterCommitBeforePublish);
        if (!handover.TryOffer(batch))
        {
            LogFull(batch.OutboxId);
        }
    }

    /// <summary>Whether <paramref name="found"/> is what <paramref name="unsettled"/> stored: then that one was committed.</summary>
    public AppendResult? Settle(StoredAppend? unsettled, StoredAppend found) =>
        unsettled?.Units[0].Appended is { } before && found.Units[0].Appended is { } now
            && now.Events.Select(e => e.Position).SequenceEqual(before.Events.Select(e => e.Position))
            && now.Events.All(e => e.Duplicate)
                ? Committed(unsettled)
                : null;

    /// <summary>What follows a commit of a single unit.</summary>
    public AppendResult Committed(StoredAppend stored)
    {
        if (stored.Batch is { } batch)
        {
            HandOver(batch);
        }

        return stored.Units[0].ResultOrThrow();
    }

    /// <summary>Does it again after deadlocks, lost connections and the like, a few times; each time from the start.</summary>
    public async Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> once, CancellationToken cancellationToken)
    {
        for (var number = 1; ; number++)
        {
            try
            {
                return await once(cancellationToken);
            }
            catch (GenerationMovedException moved) when (number < Tries)
            {
                await RaiseAsync(moved, cancellationToken);
            }
            catch (Exception exception) when (number < Tries && IsTransient(exception))
            {
                LogAgain(number, exception);
                await Task.Delay(Delay(number), time, cancellationToken);
            }
            catch (Exception exception) when (database.AsTimeout(exception) is { } timeout)
            {
                throw timeout;
            }
        }
    }

    private Task RaiseAsync(GenerationMovedException moved, CancellationToken cancellationToken)
    {
        LogMoved(moved.Current.SystemId, moved.Current.Timeline);
        return database.Log.RaiseGenerationAsync(moved, cancellationToken);
    }

    private bool IsTransient(Exception exception) =>
        exception is not CommitOutcomeUnknownException
        && (exception is CommitFailedException || database.Log.Classify(exception) == Failure.Transient);

    private static TimeSpan Delay(int number) => FirstDelay * (1 << number) * (0.5 + Random.Shared.NextDouble());

    [LoggerMessage(1100, LogLevel.Information, "The hand-over is full; outbox row {OutboxId} waits for the sweep")]
    private partial void LogFull(long outboxId);

    [LoggerMessage(1101, LogLevel.Warning, "The database is now system {SystemId} on timeline {Timeline}: commits may be lost, the generation is raised")]
    private partial void LogMoved(string systemId, string timeline);

    [LoggerMessage(1102, LogLevel.Information, "Append try {Number} failed and is repeated with the same ids")]
    private partial void LogAgain(int number, Exception exception);
}

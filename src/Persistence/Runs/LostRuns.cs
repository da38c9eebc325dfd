using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs that nobody executes any more, and what becomes of them. Everything happens under the stream's head lock, if the
/// run still is as it was seen: so of many observers one succeeds, and an attempt that was thought dead appends no second
/// ending. Throws as <see cref="RunClaims"/> does.
/// </summary>
public sealed class LostRuns(PipelineDatabase database, EventEncoder encoder)
{
    /// <summary>Every running run that has a lease, with its counter.</summary>
    public async Task<IReadOnlyList<RunLease>> ReadLeasesAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var rows = await context.Runs.AsNoTracking()
            .Where(row => row.Status == RunStatus.Running && row.LeaseSeconds != null)
            .Select(row => new
            {
                row.Stream, row.Run, row.Agent, row.Attempt, row.LeaseCounter, row.LeaseSeconds, row.Worker, row.CanResume, row.LastSequence,
            })
            .ToListAsync(cancellationToken);
        return [.. rows.Select(row => new RunLease(
            new RunKey(StreamKey.Parse(row.Stream), row.Run), row.Agent, row.Attempt, row.LeaseCounter,
            TimeSpan.FromSeconds(row.LeaseSeconds!.Value), row.Worker, row.CanResume, IsStarted: row.LastSequence > 1))];
    }

    /// <summary>
    /// Puts a run whose lease was seen expired back to the queue, at its place by its request, or ends it where the person
    /// has cancelled it. False: attempt or counter are not the same any more, or the head is locked.
    /// </summary>
    public Task<bool> RequeueAsync(RunLease expired, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(expired);
        return ChangeAsync(
            expired.Key, row => Unchanged(row, expired), (locked, run) => locked.RequeueAsync(run, encoder, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// Ends a run whose lease was seen expired: <c>agent_failed</c>, or <c>agent_cancelled</c> where the person asked for
    /// that. False: as for <see cref="RequeueAsync"/>.
    /// </summary>
    public Task<bool> EndAsync(RunLease expired, string reason, string error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(expired);
        return ChangeAsync(
            expired.Key,
            row => Unchanged(row, expired),
            (locked, run) => locked.EndAsync(
                run, run.CancelRequested ? new AgentCancelled() : new AgentFailed { Reason = reason, Error = error }, encoder, cancellationToken),
            cancellationToken);
    }

    /// <summary>Queued runs of other agents than these, oldest request first.</summary>
    public async Task<IReadOnlyList<QueuedRun>> FindForOthersAsync(
        IReadOnlyCollection<string> agents, int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var rows = await context.Runs.Where(row => row.Status == RunStatus.Queued && !agents.Contains(row.Agent))
            .OrderBy(row => row.RequestedAt).ThenBy(row => row.Run).Take(limit)
            .Select(row => new { row.Stream, row.Run, row.Agent, row.Attempt }).ToListAsync(cancellationToken);
        return [.. rows.Select(row => new QueuedRun(new RunKey(StreamKey.Parse(row.Stream), row.Run), row.Agent, row.Attempt))];
    }

    /// <summary>Ends a queued run with <c>agent_failed</c>. False: it is not queued at that attempt any more, or the head is locked.</summary>
    public Task<bool> EndAsync(QueuedRun queued, string reason, string error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(queued);
        return ChangeAsync(
            queued.Key,
            rows => rows.Where(row => row.Status == RunStatus.Queued && row.Attempt == queued.Attempt),
            (locked, run) => locked.EndAsync(run, new AgentFailed { Reason = reason, Error = error }, encoder, cancellationToken),
            cancellationToken);
    }

    private async Task<bool> ChangeAsync(
        RunKey key, Func<IQueryable<AgentRunRow>, IQueryable<AgentRunRow>> asSeen, Func<LockedStream, AgentRunRow, Task> change,
        CancellationToken cancellationToken)
    {
        await using var locked = await database.LockFreeAsync(key.Stream, cancellationToken);

        // Raised under the row's lock: a renewal that comes in between would otherwise be overlooked.
        if (locked is null || await asSeen(locked.Context.Of(key)).ExecuteUpdateAsync(
            set => set.SetProperty(row => row.LeaseCounter, row => row.LeaseCounter + 1), cancellationToken) == 0)
        {
            return false;
        }

        await change(locked, await locked.Context.Of(key).SingleAsync(cancellationToken));
        await locked.CommitAsync(cancellationToken);
        return true;
    }

    private static IQueryable<AgentRunRow> Unchanged(IQueryable<AgentRunRow> rows, RunLease lease) => rows.Where(row =>
        row.Status == RunStatus.Running && row.Attempt == lease.Attempt && row.LeaseCounter == lease.Counter);
}

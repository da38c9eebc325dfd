using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs as a worker sees them: claimed, kept by a lease, taken over, given back. Claims, takeovers and endings happen
/// under the stream's head lock, so that an attempt that was thought dead can append nothing more. Every method throws
/// <see cref="System.Data.Common.DbException"/>, alone or in a <see cref="DbUpdateException"/>, or
/// <see cref="TimeoutException"/> while the database is away or the head stays locked. A claim whose commit was not
/// answered is not known here, is renewed by nobody, and so is found by its expired lease.
/// </summary>
public sealed class RunClaims(PipelineDatabase database, EventEncoder encoder, ProcessIdentity identity, TimeProvider time)
{
    /// <summary>
    /// Claims a queued run for this process: attempt + 1, running, lease. Null: not queued (any more), or its head is
    /// locked by someone (then a scan finds it again).
    /// </summary>
    public async Task<ClaimedRun?> ClaimAsync(StreamKey stream, string run, TimeSpan lease, CancellationToken cancellationToken)
    {
        // Behind a stuck transaction a claim would hold up every other user's. SQLite's one writer is waited for by all.
        await using var locked = database.IsSqlite
            ? await database.LockStreamAsync(stream, cancellationToken)
            : await database.TryLockStreamAsync(stream, cancellationToken);
        if (locked is null)
        {
            return null;
        }

        var key = new RunKey(stream, run);
        var queued = Of(locked.Context, key).Where(row => row.Status == RunStatus.Queued);
        return await ClaimAsync(locked, key, queued, lease, cancellationToken);
    }

    /// <summary>Queued runs that wait for a worker, oldest request first.</summary>
    public async Task<IReadOnlyList<RunKey>> FindQueuedAsync(int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var rows = await context.Runs.Where(row => row.Status == RunStatus.Queued && row.Agent != "")
            .OrderBy(row => row.RequestedAt).ThenBy(row => row.Run).Take(limit)
            .Select(row => new { row.Stream, row.Run }).ToListAsync(cancellationToken);
        return [.. rows.Select(row => new RunKey(StreamKey.Parse(row.Stream), row.Run))];
    }

    /// <summary>
    /// Renews the leases of runs that this process executes and returns, for each that is still its own at that
    /// attempt, whether cancellation was requested. A run that is not in the answer was lost.
    /// </summary>
    public async Task<IReadOnlyDictionary<RunKey, bool>> RenewAsync(
        IReadOnlyCollection<(RunKey Key, int Attempt)> runs, CancellationToken cancellationToken)
    {
        if (runs.Count == 0)
        {
            return new Dictionary<RunKey, bool>();
        }

        var names = runs.Select(run => run.Key.Run).ToArray();
        await using var context = database.CreateContext();
        await Free(context).Where(row => names.Contains(row.Run))
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.LeaseCounter, row => row.LeaseCounter + 1), cancellationToken);
        var mine = await Mine(context).Where(row => names.Contains(row.Run))
            .Select(row => new { row.Stream, row.Run, row.Attempt, row.CancelRequested }).ToListAsync(cancellationToken);

        var asked = runs.ToHashSet();
        return mine.Select(row => (Row: row, Key: new RunKey(StreamKey.Parse(row.Stream), row.Run)))
            .Where(found => asked.Contains((found.Key, found.Row.Attempt)))
            .ToDictionary(found => found.Key, found => found.Row.CancelRequested);
    }

    /// <summary>Every running run that has a lease, with its counter.</summary>
    public async Task<IReadOnlyList<RunLease>> ReadLeasesAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var rows = await context.Runs
            .Where(row => row.Status == RunStatus.Running && row.LeaseSeconds != null)
            .Select(row => new { row.Stream, row.Run, row.Agent, row.Attempt, row.LeaseCounter, row.LeaseSeconds, row.Worker })
            .ToListAsync(cancellationToken);
        return [.. rows.Select(row => new RunLease(
            new RunKey(StreamKey.Parse(row.Stream), row.Run), row.Agent, row.Attempt, row.LeaseCounter,
            TimeSpan.FromSeconds(row.LeaseSeconds!.Value), row.Worker))];
    }

    /// <summary>
    /// Takes over a run whose lease was seen expired: as a claim, if attempt and counter are still the same. Null: they
    /// are not, or no worker may execute the run.
    /// </summary>
    public async Task<ClaimedRun?> TakeOverAsync(RunLease expired, TimeSpan lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(expired);
        await using var locked = await database.LockStreamAsync(expired.Key.Stream, cancellationToken);
        var lost = Unchanged(locked.Context, expired).Where(row => row.Agent != "");
        return await ClaimAsync(locked, expired.Key, lost, lease, cancellationToken);
    }

    /// <summary>
    /// Ends a run whose lease was seen expired with <c>agent_failed</c>. False: attempt or counter are not the same any
    /// more, or the run has ended.
    /// </summary>
    public async Task<bool> EndLostAsync(RunLease expired, string reason, string error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(expired);
        await using var locked = await database.LockStreamAsync(expired.Key.Stream, cancellationToken);
        var lost = Unchanged(locked.Context, expired);
        var thread = await lost.Select(row => row.Thread).SingleOrDefaultAsync(cancellationToken);

        // Raised under the row's lock: a renewal that comes in between would otherwise be overlooked.
        if (thread is null
            || await lost.ExecuteUpdateAsync(
                set => set.SetProperty(row => row.LeaseCounter, row => row.LeaseCounter + 1), cancellationToken) == 0)
        {
            return false;
        }

        var (tenant, user) = expired.Key.Stream.Split();
        await locked.AppendAsync(
            [encoder.Encode(new AgentFailed
            {
                Tenant = tenant, User = user, Thread = thread, Run = expired.Key.Run, Attempt = expired.Attempt, Reason = reason, Error = error,
            })],
            cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>
    /// Gives a claimed run back to the queue (the worker stops, the agent can resume) and tells the other workers. False:
    /// it is not this process's at that attempt.
    /// </summary>
    public async Task<bool> ReleaseAsync(RunKey run, int attempt, CancellationToken cancellationToken)
    {
        await using var locked = await database.LockStreamAsync(run.Stream, cancellationToken);
        var released = await Mine(locked.Context)
            .Where(row => row.Stream == run.Stream.Value && row.Run == run.Run && row.Attempt == attempt)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.Status, RunStatus.Queued)
                    .SetProperty(row => row.Worker, (Guid?)null)
                    .SetProperty(row => row.LeaseSeconds, (int?)null),
                cancellationToken);
        if (released == 0)
        {
            return false;
        }

        var (tenant, user) = run.Stream.Split();
        locked.AddCommand(new StartRun { Tenant = tenant, User = user, Run = run.Run });
        await locked.CommitAsync(cancellationToken);
        return true;
    }

    private async Task<ClaimedRun?> ClaimAsync(
        LockedStream locked, RunKey key, IQueryable<AgentRunRow> claimable, TimeSpan lease, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var seconds = Math.Max(1, (int)Math.Ceiling(lease.TotalSeconds));
        var claimed = await claimable.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Status, RunStatus.Running)
                .SetProperty(row => row.Attempt, row => row.Attempt + 1)
                .SetProperty(row => row.LeaseCounter, row => row.LeaseCounter + 1)
                .SetProperty(row => row.LeaseSeconds, seconds)
                .SetProperty(row => row.Worker, identity.Id)
                .SetProperty(row => row.StartedAt, row => row.StartedAt ?? now),
            cancellationToken);
        if (claimed == 0)
        {
            return null;
        }

        var run = await Of(locked.Context, key)
            .Select(row => new ClaimedRun(
                key, row.Thread, row.Agent, row.Input, row.Attempt, row.LastSequence, row.CancelRequested))
            .SingleAsync(cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return run;
    }

    private static IQueryable<AgentRunRow> Of(PipelineContext context, RunKey key) =>
        context.Runs.Where(row => row.Stream == key.Stream.Value && row.Run == key.Run);

    private static IQueryable<AgentRunRow> Unchanged(PipelineContext context, RunLease lease) =>
        Of(context, lease.Key).Where(row =>
            row.Status == RunStatus.Running && row.Attempt == lease.Attempt && row.LeaseCounter == lease.Counter);

    private IQueryable<AgentRunRow> Mine(PipelineContext context) =>
        context.Runs.Where(row => row.Worker == identity.Id && row.Status == RunStatus.Running);

    /// <summary>
    /// Those whose row nobody has locked: one run in a stuck transaction must not cost the others their lease. The locked
    /// one is renewed by the append that has it locked.
    /// </summary>
    private IQueryable<AgentRunRow> Free(PipelineContext context) =>
        database.IsSqlite
            ? Mine(context)
            : context.Runs.FromSqlRaw(
                "select * from pipeline.agent_run where worker = {0} and status = 1 for update skip locked", identity.Id);
}

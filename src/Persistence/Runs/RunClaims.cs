using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs as their worker sees them: claimed, kept by a lease, given back. Claims happen under the stream's head lock, so
/// that an earlier attempt can append nothing more. Every method throws <see cref="System.Data.Common.DbException"/>,
/// alone or inside another exception, or <see cref="TimeoutException"/> while the database is away or the head stays
/// locked. A claim whose commit was not answered is not known here, is renewed by nobody, and so is found by its expired
/// lease (<see cref="LostRuns"/>).
/// </summary>
public sealed class RunClaims(
    PipelineDatabase database, EventEncoder encoder, ProcessIdentity identity, TimeProvider time, KnownAgents? agents = null)
{
    private readonly IReadOnlyCollection<string> _names = agents?.Names ?? [];
    private readonly IReadOnlyCollection<string> _resumable = agents?.Resumable ?? [];

    /// <summary>
    /// Claims a queued run for this process: attempt + 1, running, lease. Null: not queued (any more), of an agent that
    /// this process does not know, or its head is locked by someone (then a scan finds it again).
    /// </summary>
    public async Task<ClaimedRun?> ClaimAsync(StreamKey stream, string run, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var locked = await database.LockFreeAsync(stream, cancellationToken);
        return locked is null ? null : await ClaimAsync(locked, new RunKey(stream, run), lease, cancellationToken);
    }

    /// <summary>Queued runs of agents that this process knows, oldest request first.</summary>
    public async Task<IReadOnlyList<RunKey>> FindQueuedAsync(int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var rows = await context.Runs.Where(row => row.Status == RunStatus.Queued && _names.Contains(row.Agent))
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

    /// <summary>
    /// Gives a claimed run back to the queue (the worker stops, the agent can resume) and tells the other workers; a run
    /// that the person has cancelled ends instead. Says what it is now: queued or cancelled. Null: it is not this process's
    /// at that attempt.
    /// </summary>
    public async Task<RunStatus?> ReleaseAsync(RunKey run, int attempt, CancellationToken cancellationToken)
    {
        await using var locked = await database.LockStreamAsync(run.Stream, cancellationToken);
        var mine = await Mine(locked.Context)
            .SingleOrDefaultAsync(row => row.Stream == run.Stream.Value && row.Run == run.Run && row.Attempt == attempt, cancellationToken);
        if (mine is null)
        {
            return null;
        }

        var status = await locked.RequeueAsync(mine, encoder, cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return status;
    }

    private async Task<ClaimedRun?> ClaimAsync(LockedStream locked, RunKey key, TimeSpan lease, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var seconds = Math.Max(1, (int)Math.Ceiling(lease.TotalSeconds));
        var claimed = await locked.Context.Of(key)
            .Where(row => row.Status == RunStatus.Queued && _names.Contains(row.Agent))
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.Status, RunStatus.Running)
                    .SetProperty(row => row.Attempt, row => row.Attempt + 1)
                    .SetProperty(row => row.LeaseCounter, row => row.LeaseCounter + 1)
                    .SetProperty(row => row.LeaseSeconds, seconds)
                    .SetProperty(row => row.Worker, identity.Id)
                    .SetProperty(row => row.CanResume, row => _resumable.Contains(row.Agent))
                    .SetProperty(row => row.StartedAt, row => row.StartedAt ?? now),
                cancellationToken);
        if (claimed == 0)
        {
            return null;
        }

        var run = await locked.Context.Of(key)
            .Select(row => new ClaimedRun(
                key, row.Thread, row.Agent, row.Input, row.Attempt, row.LastSequence, row.CancelRequested, row.FirstPosition))
            .SingleAsync(cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return run;
    }

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

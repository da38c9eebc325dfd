using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What claims, takeovers and endings have in common.</summary>
internal static class RunQueries
{
    public static IQueryable<AgentRunRow> Of(this PipelineContext context, RunKey key) =>
        context.Runs.Where(row => row.Stream == key.Stream.Value && row.Run == key.Run);

    /// <summary>
    /// Null: the head is locked by someone, then the next scan comes by. Behind a stuck transaction this run would hold up
    /// every other user's. SQLite's one writer is waited for by all.
    /// </summary>
    public static async Task<LockedStream?> LockFreeAsync(
        this PipelineDatabase database, StreamKey stream, CancellationToken cancellationToken) => database.IsSqlite
        ? await database.LockStreamAsync(stream, cancellationToken)
        : await database.TryLockStreamAsync(stream, cancellationToken);

    /// <summary>Appends the run's ending at its own attempt.</summary>
    public static Task EndAsync(
        this LockedStream locked, AgentRunRow run, AgentEvent ending, EventEncoder encoder, CancellationToken cancellationToken)
    {
        var (tenant, user) = StreamKey.Parse(run.Stream).Split();
        return locked.AppendAsync(
            [encoder.Encode(ending with { Tenant = tenant, User = user, Thread = run.Thread, Run = run.Run, Attempt = run.Attempt })],
            cancellationToken);
    }

    /// <summary>
    /// Puts the run back to the queue at its attempt and tells the workers; one that the person has cancelled ends instead.
    /// Whoever executed it may append until the next claim, but is renewed no more.
    /// </summary>
    /// <returns>Queued or Cancelled.</returns>
    public static async Task<RunStatus> RequeueAsync(
        this LockedStream locked, AgentRunRow run, EventEncoder encoder, CancellationToken cancellationToken)
    {
        if (run.CancelRequested)
        {
            await locked.EndAsync(run, new AgentCancelled(), encoder, cancellationToken);
            return RunStatus.Cancelled;
        }

        var (tenant, user) = StreamKey.Parse(run.Stream).Split();
        run.Status = RunStatus.Queued;
        run.Worker = null;
        run.LeaseSeconds = null;
        locked.AddCommand(new StartRun { Tenant = tenant, User = user, Run = run.Run });
        return RunStatus.Queued;
    }
}

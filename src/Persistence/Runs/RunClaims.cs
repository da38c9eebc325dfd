using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs as a worker sees them: claimed, kept by a lease, taken over, given back. Claims, takeovers and endings happen
/// under the stream's head lock, so that an attempt that was thought dead can append nothing more.
/// </summary>
public sealed class RunClaims
{
    /// <summary>
    /// Claims a queued run for this process: attempt + 1, running, lease. Null: not queued (any more), or its head is
    /// locked by someone (then a scan finds it again).
    /// </summary>
    public Task<ClaimedRun?> ClaimAsync(StreamKey stream, string run, TimeSpan lease, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Queued runs, oldest request first.</summary>
    public Task<IReadOnlyList<RunKey>> FindQueuedAsync(int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Renews the leases of runs that this process executes and returns, for each that is still its own at that
    /// attempt, whether cancellation was requested. A run that is not in the answer was lost.
    /// </summary>
    public Task<IReadOnlyDictionary<RunKey, bool>> RenewAsync(
        IReadOnlyCollection<(RunKey Key, int Attempt)> runs, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Every running run that has a lease, with its counter.</summary>
    public Task<IReadOnlyList<RunLease>> ReadLeasesAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Takes over a run whose lease was seen expired: as a claim, if attempt and counter are still the same.</summary>
    public Task<ClaimedRun?> TakeOverAsync(RunLease expired, TimeSpan lease, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Ends a run whose lease was seen expired with <c>agent_failed</c>, if attempt and counter are still the same.</summary>
    public Task<bool> EndLostAsync(RunLease expired, string reason, string error, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Gives a claimed run back to the queue (the worker stops, the agent can resume).</summary>
    public Task<bool> ReleaseAsync(RunKey run, int attempt, CancellationToken cancellationToken) => throw new NotImplementedException();
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Runs: every change happens under the stream's head lock, together with the events that tell of it.</summary>
public sealed class RunStore
{
    /// <summary>
    /// Creates a queued run, its <c>run_requested</c> event (sequence 1) and the <see cref="StartRun"/> command in one
    /// transaction. The same key with the same body returns the first answer.
    /// </summary>
    /// <exception cref="IdempotencyConflictException">The key was used with another body.</exception>
    /// <exception cref="InvalidEventException">A field is wrong or too large.</exception>
    public Task<RunCreated> CreateAsync(NewRun run, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The run, or null.</summary>
    public Task<AgentRun?> GetAsync(StreamKey stream, string run, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The user's threads, most recently requested first, at most <paramref name="limit"/>.</summary>
    public Task<IReadOnlyList<ThreadSummary>> ListThreadsAsync(StreamKey stream, int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Asks to cancel: a queued run ends at once with <c>agent_cancelled</c>; a running one is marked and its worker is
    /// told; an ended one stays as it is. Null: no such run.
    /// </summary>
    public Task<AgentRun?> RequestCancelAsync(StreamKey stream, string run, CancellationToken cancellationToken) => throw new NotImplementedException();

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

public readonly record struct RunKey(StreamKey Stream, string Run);

/// <param name="IdempotencyKey">1–128 bytes, or null: the request may not be repeated.</param>
/// <param name="Agent">Name of the agent, or null for the default (<c>demo</c>).</param>
public sealed record NewRun(
    StreamKey Stream, string Thread, string Input, string? Agent, string? IdempotencyKey);

/// <param name="Cursor">From before the run's first event.</param>
public sealed record RunCreated(string Run, string Thread, RunStatus Status, Cursor Cursor);

public sealed record AgentRun(
    RunKey Key, string Thread, string Agent, RunStatus Status, int Attempt, DateTime RequestedAt,
    DateTime? StartedAt, DateTime? EndedAt);

/// <param name="Attempt">The fencing token for everything this executor appends.</param>
/// <param name="LastSequence">The run's last event so far.</param>
public sealed record ClaimedRun(
    RunKey Key, string Thread, string Agent, string Input, int Attempt, long LastSequence, bool CancelRequested);

public sealed record RunLease(RunKey Key, string Agent, int Attempt, long Counter, TimeSpan Length, Guid? Worker);

public sealed record ThreadSummary(string Thread, int Runs, string LastRun, RunStatus Status, DateTime UpdatedAt);

/// <summary>The idempotency key was used before with another body.</summary>
public sealed class IdempotencyConflictException(string key)
    : Exception($"Idempotency-Key '{key}' was used with another request; use a new key for a new request")
{
    public string Key { get; } = key;
}

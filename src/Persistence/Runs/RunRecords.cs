using Pipeline.Contracts;

namespace Pipeline.Persistence;

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
/// <param name="FirstPosition">Position of the run's first event; 0 for unknown.</param>
public sealed record ClaimedRun(
    RunKey Key, string Thread, string Agent, string Input, int Attempt, long LastSequence, bool CancelRequested, long FirstPosition);

/// <param name="Agent">Empty for a run that was opened over HTTP.</param>
/// <param name="CanResume">As the worker that claimed it declared.</param>
/// <param name="IsStarted">Events were appended since the request.</param>
public sealed record RunLease(
    RunKey Key, string Agent, int Attempt, long Counter, TimeSpan Length, Guid? Worker, bool CanResume, bool IsStarted)
{
    /// <summary>A worker may execute it (again): its agent can resume, or never came to work.</summary>
    public bool MayRunAgain => Agent.Length > 0 && (CanResume || !IsStarted);
}

public sealed record QueuedRun(RunKey Key, string Agent, int Attempt);

public sealed record ThreadSummary(string Thread, int Runs, string LastRun, RunStatus Status, DateTime UpdatedAt);

/// <summary>The idempotency key was used before with another body.</summary>
public sealed class IdempotencyConflictException(string key)
    : Exception($"Idempotency-Key '{key}' was used with another request; use a new key for a new request")
{
    public string Key { get; } = key;
}

using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <param name="Input">What the agent shall do.</param>
/// <param name="Agent">Name of the agent; null for the default.</param>
public sealed record StartRunBody(string Input, string? Agent);

/// <param name="Cursor">From before the run's first event: connecting after it misses nothing.</param>
public sealed record RunStartedBody(string Run, string Thread, string Status, string Cursor);

/// <param name="Status"><c>queued</c>, <c>running</c>, <c>completed</c>, <c>failed</c> or <c>cancelled</c>.</param>
/// <param name="Attempt">How many times an executor began.</param>
public sealed record RunBody(
    string Run, string Thread, string Agent, string Status, int Attempt, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt)
{
    public static RunBody Of(AgentRun run) => new(
        run.Key.Run, run.Thread, run.Agent, run.Status.OnWire(), run.Attempt, run.StartedAt.AsUtc(), run.EndedAt.AsUtc());
}

/// <param name="Threads">Most recently requested first.</param>
public sealed record ThreadsBody(IReadOnlyList<ThreadBody> Threads);

/// <param name="Status">Of <paramref name="LastRun"/>.</param>
public sealed record ThreadBody(string Thread, int Runs, string LastRun, string Status, DateTimeOffset? UpdatedAt)
{
    public static ThreadBody Of(ThreadSummary summary) => new(
        summary.Thread, summary.Runs, summary.LastRun, summary.Status.OnWire(), ((DateTime?)summary.UpdatedAt).AsUtc());
}

internal static class RunWire
{
    public static string OnWire(this RunStatus status) => status.ToString().ToLowerInvariant();

    // SQLite gives times back without their kind; all stored times are UTC.
    public static DateTimeOffset? AsUtc(this DateTime? time) =>
        time is { } value ? new DateTimeOffset(DateTime.SpecifyKind(value, DateTimeKind.Utc)) : null;
}

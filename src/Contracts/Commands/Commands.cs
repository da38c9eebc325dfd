namespace Pipeline.Contracts;

/// <summary>
/// A nudge that a run waits to be claimed. The run's row is the truth: the command may be lost, doubled or late.
/// Sent to the queue <c>start-run</c>.
/// </summary>
public sealed record StartRun
{
    public required string Tenant { get; init; }
    public required string User { get; init; }
    public required string Run { get; init; }
}

/// <summary>A nudge that someone asked to cancel a run. Published to every worker; the run's row is the truth.</summary>
public sealed record CancelRun
{
    public required string Tenant { get; init; }
    public required string User { get; init; }
    public required string Run { get; init; }
}

namespace Pipeline.Contracts;

/// <summary>What the person asked. First event of a run that was started over HTTP; <c>sequence</c> 1.</summary>
public sealed record RunRequested : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.RunRequested;

    /// <summary>The request as typed.</summary>
    public required string Input { get; init; }

    /// <summary>Name of the agent that shall execute the run.</summary>
    public required string Agent { get; init; }
}

/// <summary>An executor began (or, with a higher attempt, began again) to work on the run.</summary>
public sealed record AgentStarted : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentStarted;

    /// <summary>Name of the agent.</summary>
    public required string Agent { get; init; }

    /// <summary>
    /// Lease in seconds that a run appended over HTTP asks for: every append renews it, silence for its length ends
    /// the run with <see cref="AgentFailed"/>. Null: no lease.
    /// </summary>
    public int? Lease { get; init; }
}

/// <summary>The run's successful end.</summary>
public sealed record AgentCompleted : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentCompleted;

    /// <summary>Short summary or final answer; null when the agent's messages already said it.</summary>
    public string? Result { get; init; }
}

/// <summary>The run's unsuccessful end.</summary>
public sealed record AgentFailed : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentFailed;

    /// <summary>Machine-readable cause, see <see cref="FailureReasons"/>.</summary>
    public required string Reason { get; init; }

    /// <summary>Human-readable cause; null when there is nothing to add.</summary>
    public string? Error { get; init; }
}

/// <summary>The run ended because someone cancelled it.</summary>
public sealed record AgentCancelled : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentCancelled;

    /// <summary>Why, when known.</summary>
    public string? Reason { get; init; }
}

/// <summary>Values of <see cref="AgentFailed.Reason"/> that the pipeline itself uses.</summary>
public static class FailureReasons
{
    /// <summary>The worker stopped renewing its lease and the agent cannot resume.</summary>
    public const string WorkerLost = "worker_lost";

    /// <summary>The agent threw.</summary>
    public const string AgentError = "agent_error";

    /// <summary>No worker knows an agent of that name.</summary>
    public const string UnknownAgent = "unknown_agent";

    /// <summary>The run took longer than the worker allows.</summary>
    public const string TimedOut = "timed_out";
}

namespace Pipeline.Agents.Worker;

/// <summary>
/// What does the work of a run: the extension point of the worker. Register it with
/// <see cref="AgentServices.AddAgent{T}"/>; a run names it, the worker makes one instance a run in a scope of its own.
/// </summary>
/// <remarks>
/// The worker brackets the agent: it appends <c>agent_started</c> before and the one terminal event after
/// <see cref="RunAsync"/>. Returning completes the run, throwing fails it; neither is repeated.
/// </remarks>
public interface IAgent
{
    /// <summary>
    /// Name that runs ask for, unique in the worker; 1–128 bytes of UTF-8 without control characters. Read once, at
    /// start, and the same for every instance.
    /// </summary>
    string Name { get; }

    /// <summary>
    /// Whether another worker may execute a run again from the start after this one was lost or stopped. True asks of
    /// <see cref="RunAsync"/> that repeating what an unfinished attempt did does no harm
    /// (<see cref="AgentRunContext.ReadHistoryAsync"/> tells what that was). False: such a run ends with
    /// <c>agent_failed {reason: worker_lost}</c>. Read once, at start.
    /// </summary>
    bool CanResume { get; }

    /// <summary>Does the work, and shows it through <paramref name="context"/> while it goes on.</summary>
    /// <param name="context">The run: what was asked, and where to write events.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the person pressed stop, the run took longer than <see cref="WorkerOptions.MaxRunTime"/>, the
    /// worker stops, or the run was lost to another worker. The agent should return or throw soon: after
    /// <see cref="WorkerOptions.CancelGrace"/> the run ends without it.
    /// </param>
    /// <exception cref="Exception">
    /// Any: the run ends with <c>agent_failed {reason: agent_error}</c> and the exception's message, which the person
    /// sees. What is thrown after a cancellation changes nothing.
    /// </exception>
    Task RunAsync(AgentRunContext context, CancellationToken cancellationToken);
}

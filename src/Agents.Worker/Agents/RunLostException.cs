namespace Pipeline.Agents.Worker;

/// <summary>
/// The run is no longer this executor's to write: it has ended, or another worker took it over. There is nothing an
/// agent could do about it, so it is a cancellation and comes with the agent's own token cancelled.
/// </summary>
public sealed class RunLostException(string message) : OperationCanceledException(message);

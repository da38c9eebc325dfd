namespace Pipeline.Persistence;

/// <summary>
/// The agents that this process can execute; a singleton of processes that execute any. Others see the names in the
/// process's row, and only runs of these agents are found and claimed here.
/// </summary>
public sealed record KnownAgents(IReadOnlyCollection<string> Names, IReadOnlyCollection<string> Resumable);

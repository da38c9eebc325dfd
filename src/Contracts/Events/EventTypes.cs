using System.Collections.Frozen;

namespace Pipeline.Contracts;

/// <summary>Wire names of the event types the pipeline knows. Others pass through untouched.</summary>
public static class EventTypes
{
    public const string RunRequested = "run_requested";
    public const string AgentStarted = "agent_started";
    public const string AgentThinking = "agent_thinking";
    public const string ToolExecuting = "tool_executing";
    public const string ToolCompleted = "tool_completed";
    public const string AgentMessage = "agent_message";
    public const string AgentCompleted = "agent_completed";
    public const string AgentFailed = "agent_failed";
    public const string AgentCancelled = "agent_cancelled";

    private static readonly FrozenDictionary<string, Type> Records = new Dictionary<string, Type>
    {
        [RunRequested] = typeof(RunRequested),
        [AgentStarted] = typeof(AgentStarted),
        [AgentThinking] = typeof(AgentThinking),
        [ToolExecuting] = typeof(ToolExecuting),
        [ToolCompleted] = typeof(ToolCompleted),
        [AgentMessage] = typeof(AgentMessage),
        [AgentCompleted] = typeof(AgentCompleted),
        [AgentFailed] = typeof(AgentFailed),
        [AgentCancelled] = typeof(AgentCancelled),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Every known wire name.</summary>
    public static IReadOnlyCollection<string> All => Records.Keys;

    /// <summary>The contract of a wire name, or null for a type the pipeline does not know.</summary>
    public static Type? RecordOf(string type) => Records.GetValueOrDefault(type);

    /// <summary>Whether the type ends its run. A run has exactly one such event, its last.</summary>
    public static bool IsTerminal(string type) => type is AgentCompleted or AgentFailed or AgentCancelled;

    /// <summary>Whether the type marks a run's request, start or end: what <c>Bus:TypedEvents = lifecycle</c> publishes.</summary>
    public static bool IsLifecycle(string type) => type is RunRequested or AgentStarted || IsTerminal(type);
}

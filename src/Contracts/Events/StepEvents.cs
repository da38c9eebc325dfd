using System.Text.Json;

namespace Pipeline.Contracts;

/// <summary>A thought the agent shows while it works.</summary>
public sealed record AgentThinking : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentThinking;

    /// <summary>The thought, or a piece of it when <see cref="Delta"/>.</summary>
    public required string Text { get; init; }

    /// <summary>True when <see cref="Text"/> continues the previous thought of the run.</summary>
    public bool Delta { get; init; }
}

/// <summary>A tool call began.</summary>
public sealed record ToolExecuting : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.ToolExecuting;

    /// <summary>Pairs the call with its <see cref="ToolCompleted"/>; unique in the run.</summary>
    public required string ToolCallId { get; init; }

    /// <summary>Name of the tool.</summary>
    public required string Tool { get; init; }

    /// <summary>Arguments as the tool takes them; null when it takes none.</summary>
    public JsonElement? Arguments { get; init; }
}

/// <summary>A tool call ended.</summary>
public sealed record ToolCompleted : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.ToolCompleted;

    /// <summary>The <see cref="ToolExecuting.ToolCallId"/> that ended.</summary>
    public required string ToolCallId { get; init; }

    /// <summary>Name of the tool.</summary>
    public required string Tool { get; init; }

    /// <summary>Whether the tool did its work.</summary>
    public required bool Succeeded { get; init; }

    /// <summary>What it returned; null when it failed or returns nothing.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>Why it failed; null when it succeeded.</summary>
    public string? Error { get; init; }
}

/// <summary>Text for the person.</summary>
public sealed record AgentMessage : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventTypes.AgentMessage;

    /// <summary>The text, or a piece of it when <see cref="Delta"/>.</summary>
    public required string Text { get; init; }

    /// <summary>True while the text streams: it continues the previous message of the run.</summary>
    public bool Delta { get; init; }
}

/// <summary>An event of a type the pipeline does not know: it passes through untouched.</summary>
public sealed record CustomAgentEvent : AgentEvent
{
    /// <inheritdoc/>
    public override string Type => EventType;

    /// <summary>The wire name; 1–128 bytes of UTF-8 without control characters, none of <see cref="EventTypes"/>.</summary>
    public required string EventType { get; init; }

    /// <summary>The whole <c>data</c> object.</summary>
    public required JsonElement Data { get; init; }
}

namespace Pipeline.Agents.Worker;

/// <summary>A tool could not do what it was asked; the message is for the person.</summary>
internal sealed class ToolFailedException(string message) : Exception(message);

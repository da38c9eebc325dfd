namespace Pipeline.Client;

/// <summary>A run that the service took on (PROTOCOL.md, section 10).</summary>
/// <param name="Run">Its id.</param>
/// <param name="Thread">The conversation it belongs to.</param>
/// <param name="Status">As in <see cref="RunState.Status"/>; <c>queued</c> for a new one.</param>
/// <param name="Cursor">From before its first event: reading after it misses nothing of the run.</param>
public sealed record RunAccepted(string Run, string Thread, string Status, string Cursor);

/// <summary>A run as the service knows it (PROTOCOL.md, section 10).</summary>
/// <param name="Run">Its id.</param>
/// <param name="Thread">The conversation it belongs to.</param>
/// <param name="Agent">Name of the agent.</param>
/// <param name="Status"><c>queued</c>, <c>running</c>, <c>completed</c>, <c>failed</c> or <c>cancelled</c>.</param>
/// <param name="Attempt">How many times an executor began.</param>
/// <param name="StartedAt">Null while it is queued.</param>
/// <param name="EndedAt">Null while it has not ended.</param>
public sealed record RunState(
    string Run, string Thread, string Agent, string Status, int Attempt, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt);

internal sealed record StartRunBody(string Input, string? Agent);

using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>A discontinuity (PROTOCOL.md, section 6): what was had before is to be discarded.</summary>
/// <param name="Reason">One of <see cref="ResetReasons"/>.</param>
/// <param name="Cursor">Where reading goes on: just before the oldest kept event.</param>
public sealed record StreamReset(string Reason, string Cursor);

/// <summary>
/// The stream was reset and nobody was set to be told (<see cref="AgentEventsOptions.OnReset"/>). Enumerating again goes on after
/// <see cref="StreamReset.Cursor"/>; the store moves with the first event behind it.
/// </summary>
public sealed class StreamResetException(StreamReset reset) : Exception(
    $"the stream was reset ({reset.Reason}): discard what you have and read on, or set OnReset to be told in order")
{
    /// <summary>What happened.</summary>
    public StreamReset Reset { get; } = reset;
}

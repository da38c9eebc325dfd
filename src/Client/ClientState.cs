namespace Pipeline.Client;

/// <summary>How reading stands. Immutable; a change is another object.</summary>
public sealed record ClientState
{
    /// <summary>The short answer.</summary>
    public required ClientStatus Status { get; init; }

    /// <summary>What the service lacks at the moment: <c>bus</c>, <c>log</c> (PROTOCOL.md, section 6); empty when nothing, or not connected.</summary>
    public IReadOnlyList<string> Degraded { get; init; } = [];

    /// <summary>Events between what was received and the head as the service told it, in steps of a hundred; null while that is not known.</summary>
    public long? Behind { get; init; }

    /// <summary>When the next attempt to connect is due; null when none is.</summary>
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>
    /// Why it is <see cref="ClientStatus.Offline"/>, for people; or why it was given up, one of <see cref="ClosedReasons"/>. Else null.
    /// </summary>
    public string? Reason { get; init; }

    /// <summary>The one in use or tried; null when nothing is read.</summary>
    public Transports? Transport { get; init; }
}

/// <summary>Values of <see cref="ClientState.Status"/>.</summary>
public enum ClientStatus
{
    /// <summary>No answer yet.</summary>
    Connecting,

    /// <summary>Connected; older events are coming in.</summary>
    Replaying,

    /// <summary>Connected and at the head.</summary>
    Live,

    /// <summary>Connected, while the service lacks something: see <see cref="ClientState.Degraded"/>.</summary>
    Degraded,

    /// <summary>The connection was lost; the next attempt is at <see cref="ClientState.RetryAt"/>.</summary>
    Offline,

    /// <summary>Nothing is read: not yet, not any more, or given up for <see cref="ClientState.Reason"/>.</summary>
    Closed,
}

using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>What a subscription is to do next.</summary>
internal enum StepKind
{
    /// <summary>Nothing to do until the feed moves.</summary>
    Wait,

    /// <summary>The client's last ack must be looked up.</summary>
    NeedStart,

    /// <summary>Nothing can be said before the log told where the stream stands now.</summary>
    NeedHead,

    /// <summary>What comes next is in the log only: read after <see cref="Step.Cursor"/>.</summary>
    ReadLog,

    /// <summary>Send events.</summary>
    Events,

    /// <summary>Say that the reader has caught up.</summary>
    Live,

    /// <summary>Say that there is a discontinuity.</summary>
    Reset,
}

/// <param name="Cursor">Where the reader stands after this step.</param>
internal readonly record struct Step(StepKind Kind, Cursor Cursor = default)
{
    /// <summary>Where the events continue: what the client was told, or said itself, last.</summary>
    public Cursor After { get; init; }

    /// <summary>Position of the first event.</summary>
    public long First { get; init; }

    /// <summary>The events' stored JSON, without cursors, in the order of positions.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Bodies { get; init; } = [];

    /// <summary>Why it is a reset; see <see cref="ResetReasons"/>.</summary>
    public string? Reason { get; init; }
}

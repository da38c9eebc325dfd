using System.Text.Json.Serialization;

namespace Pipeline.Contracts;

/// <summary>First frame of a connection (PROTOCOL.md, "Frames").</summary>
public sealed record ReadyFrame
{
    /// <summary>Always <c>ready</c>.</summary>
    public string Type => FrameTypes.Ready;

    /// <summary>Where the connection starts to read; null until the node knows.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Cursor { get; init; }

    /// <summary>Cursor of the stream's newest event; null until the node has read it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Head { get; init; }

    /// <summary><c>live</c>, <c>replaying</c> or <c>reset</c>.</summary>
    public required string Resume { get; init; }

    /// <summary>Why <see cref="Resume"/> is <c>reset</c>: <c>expired</c>, <c>future</c> or <c>epoch</c>; else null.</summary>
    public string? Reason { get; init; }

    /// <summary>What the node lacks at the moment: <c>bus</c>, <c>log</c>; empty when nothing.</summary>
    public required IReadOnlyList<string> Degraded { get; init; }

    /// <summary>Seconds between heartbeats.</summary>
    public required int Heartbeat { get; init; }
}

/// <summary>The reader has caught up with the stream's head.</summary>
public sealed record LiveFrame
{
    /// <summary>Always <c>live</c>.</summary>
    public string Type => FrameTypes.Live;

    /// <summary>The cursor reached.</summary>
    public string? Cursor { get; init; }
}

/// <summary>What the node lacks has changed.</summary>
public sealed record StatusFrame
{
    /// <summary>Always <c>status</c>.</summary>
    public string Type => FrameTypes.Status;

    /// <summary>See <see cref="ReadyFrame.Degraded"/>.</summary>
    public required IReadOnlyList<string> Degraded { get; init; }
}

/// <summary>Sign of life.</summary>
public sealed record HeartbeatFrame
{
    /// <summary>Always <c>heartbeat</c>.</summary>
    public string Type => FrameTypes.Heartbeat;

    /// <summary>Last cursor sent on this connection; null when none was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Cursor { get; init; }
}

/// <summary>A discontinuity: the reader discards what it had and goes on after <see cref="Cursor"/>.</summary>
public sealed record ResetFrame
{
    /// <summary>Always <c>reset</c>.</summary>
    public string Type => FrameTypes.Reset;

    /// <summary><c>expired</c>, <c>future</c> or <c>epoch</c>.</summary>
    public required string Reason { get; init; }

    /// <summary>Just before the oldest kept event.</summary>
    public required string Cursor { get; init; }
}

/// <summary>Values of a server frame's <c>type</c>.</summary>
public static class FrameTypes
{
    public const string Ready = "ready";
    public const string Events = "events";
    public const string Live = "live";
    public const string Status = "status";
    public const string Heartbeat = "heartbeat";
    public const string Reset = "reset";

    /// <summary>Client frame: everything up to its cursor was processed.</summary>
    public const string Ack = "ack";

    /// <summary>Client frame: a fresh token for this connection.</summary>
    public const string Auth = "auth";
}

/// <summary>Values of <see cref="ReadyFrame.Resume"/>.</summary>
public static class ResumeKinds
{
    public const string Live = "live";
    public const string Replaying = "replaying";
    public const string Reset = "reset";
}

/// <summary>Why a reader cannot go on where it was.</summary>
public static class ResetReasons
{
    /// <summary>Retention removed what follows the cursor.</summary>
    public const string Expired = "expired";

    /// <summary>The cursor lies beyond the stream's head.</summary>
    public const string Future = "future";

    /// <summary>The cursor is of another history, or of another user's stream.</summary>
    public const string Epoch = "epoch";
}

/// <summary>WebSocket close codes: they say whether and how to reconnect.</summary>
public static class CloseCodes
{
    /// <summary>Malformed text frame (no UTF-8 JSON).</summary>
    public const int InvalidPayload = 1007;

    /// <summary>A frame breaks the protocol: a known type with a wrong field.</summary>
    public const int PolicyViolation = 1008;

    /// <summary>Client frame over the limit.</summary>
    public const int TooBig = 1009;

    /// <summary>The node restarts: reconnect with jitter.</summary>
    public const int Restart = 1012;

    /// <summary>The node is overloaded: reconnect with jitter.</summary>
    public const int Overload = 1013;

    /// <summary>The token is missing, bad or expired: get a new one, then reconnect.</summary>
    public const int Unauthorized = 4401;

    /// <summary>Not allowed: give up.</summary>
    public const int Forbidden = 4403;

    /// <summary>No such thing: give up. Reserved: no server sends it yet.</summary>
    public const int NotFound = 4404;

    /// <summary>A newer connection of the same client id took over: do not reconnect.</summary>
    public const int Replaced = 4409;
}

/// <summary>WebSocket subprotocols.</summary>
public static class Subprotocols
{
    /// <summary>The one the server selects.</summary>
    public const string V1 = "agent-events.v1";

    /// <summary>Prefix of the offered subprotocol that carries the token.</summary>
    public const string BearerPrefix = "bearer.";
}

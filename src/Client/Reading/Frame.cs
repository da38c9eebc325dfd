using System.Text.Json;

namespace Pipeline.Client;

/// <summary>
/// A server frame (PROTOCOL.md, section 6), whatever transport it came by; the fields that its type does not have are null. A page of
/// the JSON transport (section 5.1) has the same fields and no type.
/// </summary>
internal sealed record Frame
{
    public string Type { get; init; } = "";

    public string? After { get; init; }

    public IReadOnlyList<WireEvent>? Events { get; init; }

    public string? Cursor { get; init; }

    public string? Head { get; init; }

    public string? Resume { get; init; }

    public string? Reason { get; init; }

    public IReadOnlyList<string>? Degraded { get; init; }

    public int? Heartbeat { get; init; }

    /// <exception cref="JsonException">It is no frame.</exception>
    public static Frame Read(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, ClientJson.Default.Frame) ?? throw new JsonException("a frame is null");
}

using System.Runtime.InteropServices;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>An event as it comes (PROTOCOL.md, section 3).</summary>
internal sealed record WireEvent
{
    private const int EnvelopeBytes = 256;

    public required string Cursor { get; init; }

    public required Guid Id { get; init; }

    public required string Type { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required string Thread { get; init; }

    public required string Run { get; init; }

    public required long Sequence { get; init; }

    public required JsonElement Data { get; init; }

    /// <summary>About how many bytes it has.</summary>
    public int Bytes => EnvelopeBytes + JsonMarshal.GetRawUtf8Value(Data).Length;

    /// <summary>The contract's record; <see cref="CustomAgentEvent"/> for an unknown type, or for data that does not fit a known one.</summary>
    /// <param name="position">Of its cursor.</param>
    public AgentEvent Materialize(long position)
    {
        try
        {
            return AgentEventJson.Materialize(Envelope(position), JsonMarshal.GetRawUtf8Value(Data)) ?? Untyped(position);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or ArgumentException)
        {
            // A stricter reader than the writer is no reason to stop at an event for ever.
            return Untyped(position);
        }
    }

    // The stream is the token's user's: the wire does not say whose.
    private EventEnvelope Envelope(long position) => new()
    {
        Id = Id,
        Type = Type,
        Tenant = "",
        User = "",
        Thread = Thread,
        Run = Run,
        Sequence = Sequence,
        Time = Time,
        Position = position,
    };

    private CustomAgentEvent Untyped(long position) => new()
    {
        Id = Id,
        EventType = Type,
        Thread = Thread,
        Run = Run,
        Sequence = Sequence,
        Time = Time,
        Position = position,
        Data = Data,
    };
}

namespace Pipeline.Messaging;

/// <summary>An <see cref="Contracts.AgentEventPage"/> as a node reads it: the index parsed, the bodies still bytes.</summary>
public sealed record BusPage
{
    public required Guid Relay { get; init; }
    public required long Number { get; init; }
    public required bool Goodbye { get; init; }
    public required long Generation { get; init; }
    public required IReadOnlyList<BusPageStream> Streams { get; init; }

    /// <summary>Reads a message body as the bus delivered it (MassTransit's JSON envelope around the page).</summary>
    /// <exception cref="System.Text.Json.JsonException">It is no page; says what is wrong.</exception>
    public static BusPage Read(ReadOnlyMemory<byte> body) => PageReader.Read(body);
}

/// <summary>One stream's part of a page.</summary>
/// <param name="Stream">The stream's key as on the wire.</param>
/// <param name="First">Position of the first body, or, when there is none, of an event that must be read from the log.</param>
/// <param name="Bodies">Slices of the message body, which must be copied or kept whole by whoever keeps them.</param>
public readonly record struct BusPageStream(
    string Stream, long Incarnation, long First, IReadOnlyList<ReadOnlyMemory<byte>> Bodies);

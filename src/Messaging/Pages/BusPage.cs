namespace Pipeline.Messaging;

/// <summary>An <see cref="Contracts.AgentEventPage"/> as a node reads it: the index parsed, the bodies still bytes.</summary>
public sealed record BusPage
{
    public required Guid Relay { get; init; }
    public required long Number { get; init; }
    public required bool Goodbye { get; init; }
    public required long Generation { get; init; }
    public required IReadOnlyList<BusPageStream> Streams { get; init; }

    /// <summary>How many streams' parts were left out because nobody here wants them.</summary>
    public int Unwanted { get; init; }

    /// <summary>Whether it carries no events at all, only the relay's last number.</summary>
    public bool IsBeacon => Streams.Count == 0 && Unwanted == 0;

    /// <summary>Reads a message body as the bus delivered it (MassTransit's JSON envelope around the page).</summary>
    /// <param name="wants">By a stream's key as UTF-8: which streams' parts are read; null for all.</param>
    /// <exception cref="System.Text.Json.JsonException">It is no page; says what is wrong.</exception>
    public static BusPage Read(ReadOnlyMemory<byte> body, WantsStream? wants = null) => PageReader.Read(body, wants);
}

/// <summary>Whether a stream's events are wanted.</summary>
/// <param name="stream">The stream's key as UTF-8.</param>
public delegate bool WantsStream(ReadOnlySpan<byte> stream);

/// <summary>One stream's part of a page.</summary>
/// <param name="Stream">The stream's key as on the wire.</param>
/// <param name="First">Position of the first body, or, when there is none, of an event that must be read from the log.</param>
/// <param name="Bodies">Slices of the message body, which must be copied or kept whole by whoever keeps them.</param>
public readonly record struct BusPageStream(
    string Stream, long Incarnation, long First, IReadOnlyList<ReadOnlyMemory<byte>> Bodies);

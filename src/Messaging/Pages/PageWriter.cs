using System.Buffers;
using System.Text.Json;

namespace Pipeline.Messaging;

/// <summary>
/// Writes a page as MassTransit's JSON envelope around an <see cref="Contracts.AgentEventPage"/>: the index first, then the bodies
/// spliced in as they are. Pure.
/// </summary>
internal static class PageWriter
{
    /// <summary>MassTransit's name of its JSON envelope.</summary>
    public const string ContentType = "application/vnd.masstransit+json";

    private const string MessageType = "urn:message:Pipeline.Contracts:AgentEventPage";
    private const int EnvelopeBytes = 512;
    private const int StreamBytes = 256;
    private const int EventBytes = 8;

    // The bodies were validated when they were encoded; checking them again would cost more than all the rest.
    private static readonly JsonWriterOptions Unchecked = new() { SkipValidation = true };

    /// <param name="streams">Empty for a beacon.</param>
    public static byte[] Write(PageHeader header, IReadOnlyList<PageDraftStream> streams)
    {
        var buffer = new ArrayBufferWriter<byte>(SizeOf(streams));
        using var json = new Utf8JsonWriter(buffer, Unchecked);
        json.WriteStartObject();
        json.WriteString("messageId"u8, Guid.CreateVersion7());
        json.WriteStartArray("messageType"u8);
        json.WriteStringValue(MessageType);
        json.WriteEndArray();
        json.WriteStartObject("message"u8);
        json.WriteString("relay"u8, header.Relay);
        json.WriteNumber("number"u8, header.Number);
        json.WriteBoolean("goodbye"u8, header.Goodbye);
        json.WriteNumber("generation"u8, header.Generation);
        WriteIndex(json, streams);
        WriteBodies(json, streams);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteIndex(Utf8JsonWriter json, IReadOnlyList<PageDraftStream> streams)
    {
        json.WriteStartArray("streams"u8);
        foreach (var stream in streams)
        {
            json.WriteStartObject();
            json.WriteString("stream"u8, stream.Stream.Value);
            json.WriteNumber("incarnation"u8, stream.Incarnation);
            json.WriteNumber("first"u8, stream.First);
            json.WriteStartArray("lengths"u8);
            foreach (var body in stream.Bodies)
            {
                json.WriteNumberValue(body.Length);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteBodies(Utf8JsonWriter json, IReadOnlyList<PageDraftStream> streams)
    {
        json.WriteStartArray("events"u8);
        foreach (var stream in streams)
        {
            foreach (var body in stream.Bodies)
            {
                json.WriteRawValue(body.Span, skipInputValidation: true);
            }
        }

        json.WriteEndArray();
    }

    private static int SizeOf(IReadOnlyList<PageDraftStream> streams) =>
        EnvelopeBytes + streams.Sum(stream => StreamBytes + stream.Bodies.Sum(body => body.Length + EventBytes));
}

/// <summary>A page's identity: see <see cref="Contracts.AgentEventPage"/>.</summary>
internal readonly record struct PageHeader(Guid Relay, long Number, bool Goodbye, long Generation);

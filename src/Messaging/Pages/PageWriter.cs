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
    private const int StreamBytes = 128;
    private const int EventBytes = 8;

    // What follows "events":[ and the bodies: ends the page and the envelope around it.
    private static ReadOnlySpan<byte> Tail => "]}}"u8;

    /// <param name="streams">Empty for a beacon.</param>
    public static byte[] Write(PageHeader header, IReadOnlyList<PageDraftStream> streams)
    {
        var (events, bytes) = Count(streams);
        var head = new ArrayBufferWriter<byte>(StreamBytes * (streams.Count + 4) + EventBytes * events);
        WriteHead(head, header, streams);

        // The page is as large as its bodies: it is allocated once, in its size.
        var page = GC.AllocateUninitializedArray<byte>(head.WrittenCount + bytes + Math.Max(0, events - 1) + Tail.Length);
        head.WrittenSpan.CopyTo(page);
        var offset = WriteBodies(page, head.WrittenCount, streams);
        Tail.CopyTo(page.AsSpan(offset));
        return page;
    }

    private static (int Events, int Bytes) Count(IReadOnlyList<PageDraftStream> streams)
    {
        var (events, bytes) = (0, 0);
        foreach (var stream in streams)
        {
            events += stream.Bodies.Count;
            foreach (var body in stream.Bodies)
            {
                bytes += body.Length;
            }
        }

        return (events, bytes);
    }

    private static void WriteHead(ArrayBufferWriter<byte> buffer, PageHeader header, IReadOnlyList<PageDraftStream> streams)
    {
        using var json = new Utf8JsonWriter(buffer);
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
        json.WriteStartArray("events"u8);
        json.Flush();
    }

    private static void WriteIndex(Utf8JsonWriter json, IReadOnlyList<PageDraftStream> streams)
    {
        json.WriteStartArray("streams"u8);
        foreach (var stream in streams)
        {
            json.WriteStartObject();
            json.WriteString("stream"u8, stream.Key);
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

    private static int WriteBodies(byte[] page, int offset, IReadOnlyList<PageDraftStream> streams)
    {
        var isFirst = true;
        foreach (var stream in streams)
        {
            foreach (var body in stream.Bodies)
            {
                if (!isFirst)
                {
                    page[offset++] = (byte)',';
                }

                isFirst = false;
                body.Span.CopyTo(page.AsSpan(offset));
                offset += body.Length;
            }
        }

        return offset;
    }
}

/// <summary>A page's identity: see <see cref="Contracts.AgentEventPage"/>.</summary>
internal readonly record struct PageHeader(Guid Relay, long Number, bool Goodbye, long Generation);

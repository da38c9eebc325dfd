using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Bodies as stored: the event's JSON without its cursor (PROTOCOL.md, "Events").</summary>
internal static class EventBody
{
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    // One a thread: making them costs as much as what they write.
    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer)? _own;

    /// <summary>Writes the body; a sequence of 0 is left out. <paramref name="data"/> goes in as it is.</summary>
    public static byte[] Write(EventEnvelope envelope, DateTimeOffset time, ReadOnlySpan<byte> data)
    {
        var (head, json) = _own ??= New();
        head.ResetWrittenCount();
        json.Reset();
        json.WriteStartObject();
        json.WriteString("id"u8, envelope.Id);
        json.WriteString("type"u8, envelope.Type);
        json.WriteString("time"u8, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteString("thread"u8, envelope.Thread);
        json.WriteString("run"u8, envelope.Run);
        if (envelope.Sequence > 0)
        {
            json.WriteNumber("sequence"u8, envelope.Sequence);
        }

        json.WritePropertyName("data"u8);
        json.Flush();
        return [.. head.WrittenSpan, .. data, (byte)'}'];
    }

    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer) New()
    {
        var buffer = new ArrayBufferWriter<byte>(1_024);
        return (buffer, new Utf8JsonWriter(buffer, Options));
    }

    /// <summary>The body as it is stored once the log has given the event its sequence.</summary>
    public static ReadOnlyMemory<byte> Numbered(NewEvent @event, long sequence)
    {
        if (@event.Sequence != 0)
        {
            return @event.Body;
        }

        var front = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"sequence\":{sequence},"));
        var body = new byte[front.Length + @event.Body.Length - 1];
        front.CopyTo(body, 0);
        @event.Body.Span[1..].CopyTo(body.AsSpan(front.Length));
        return body;
    }
}

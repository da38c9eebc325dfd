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

    /// <summary>Writes the body; a sequence of 0 is left out. <paramref name="data"/> goes in as it is.</summary>
    public static byte[] Write(EventEnvelope envelope, DateTimeOffset time, ReadOnlySpan<byte> data)
    {
        var buffer = new ArrayBufferWriter<byte>(data.Length + 256);
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("id", envelope.Id);
            writer.WriteString("type", envelope.Type);
            writer.WriteString("time", time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            writer.WriteString("thread", envelope.Thread);
            writer.WriteString("run", envelope.Run);
            if (envelope.Sequence > 0)
            {
                writer.WriteNumber("sequence", envelope.Sequence);
            }

            writer.WritePropertyName("data");
            writer.WriteRawValue(data, skipInputValidation: true);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
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

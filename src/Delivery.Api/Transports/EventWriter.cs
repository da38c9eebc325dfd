using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Puts stored events on the wire as they are: bytes, with the cursor spliced in front; no event is parsed
/// (PROTOCOL.md, "Events").
/// </summary>
internal static class EventWriter
{
    /// <summary>Bytes that an event needs beside its body, at most.</summary>
    private const int PerEvent = 64;

    private const int PerFrame = 256;

    /// <summary>Room for an events frame.</summary>
    public static int SizeOf(Step step)
    {
        var size = PerFrame;
        for (var i = 0; i < step.Bodies.Count; i++)
        {
            size += step.Bodies[i].Length + PerEvent;
        }

        return size;
    }

    /// <summary>One event: <c>{"cursor":"EPOCH_POSITION",</c> and the body from behind its brace.</summary>
    public static void WriteEvent(IBufferWriter<byte> output, string epoch, long position, ReadOnlySpan<byte> body)
    {
        output.Write("{\"cursor\":\""u8);
        WriteCursor(output, epoch, position);
        output.Write("\","u8);
        output.Write(body[(body.IndexOf((byte)'{') + 1)..]);
    }

    /// <summary>A step's events, separated by commas.</summary>
    public static void WriteEvents(IBufferWriter<byte> output, Step step)
    {
        for (var i = 0; i < step.Bodies.Count; i++)
        {
            if (i > 0)
            {
                output.Write(","u8);
            }

            WriteEvent(output, step.Cursor.Epoch!, step.First + i, step.Bodies[i].Span);
        }
    }

    /// <summary>A WebSocket <c>events</c> frame.</summary>
    public static void WriteFrame(IBufferWriter<byte> output, Step step)
    {
        output.Write("{\"type\":\"events\",\"after\":\""u8);
        WriteAscii(output, step.After.ToString());
        output.Write("\",\"events\":["u8);
        WriteEvents(output, step);
        output.Write("],\"cursor\":\""u8);
        WriteAscii(output, step.Cursor.ToString());
        output.Write("\"}"u8);
    }

    /// <summary>A server-sent event: its cursor as id, its JSON as data, no event name.</summary>
    public static void WriteMessage(IBufferWriter<byte> output, string epoch, long position, ReadOnlySpan<byte> body)
    {
        output.Write("id: "u8);
        WriteCursor(output, epoch, position);
        output.Write("\ndata: {\"cursor\":\""u8);
        WriteCursor(output, epoch, position);
        output.Write("\","u8);
        WriteLines(output, body[(body.IndexOf((byte)'{') + 1)..]);
        output.Write("\n\n"u8);
    }

    /// <summary>A frame that is no event, as a server-sent event of its own name.</summary>
    public static void WriteNamedMessage(IBufferWriter<byte> output, string name, string? cursor, ReadOnlySpan<byte> json)
    {
        output.Write("event: "u8);
        WriteAscii(output, name);
        if (cursor is not null)
        {
            output.Write("\nid: "u8);
            WriteAscii(output, cursor);
        }

        output.Write("\ndata: "u8);
        output.Write(json);
        output.Write("\n\n"u8);
    }

    /// <summary>How long the client is to wait before it comes back: not all of them at the same time.</summary>
    public static void WriteRetry(IBufferWriter<byte> output, TimeSpan about)
    {
        var milliseconds = about.TotalMilliseconds * (0.75 + (Random.Shared.NextDouble() / 2));
        WriteAscii(output, string.Create(CultureInfo.InvariantCulture, $"retry: {milliseconds:0}\n\n"));
    }

    // A body keeps the producer's line breaks; in server-sent events each begins a new data line, which parsers join by LF.
    private static void WriteLines(IBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        while (text.IndexOfAny((byte)'\r', (byte)'\n') is >= 0 and var end)
        {
            output.Write(text[..end]);
            output.Write("\ndata: "u8);
            text = text[(end + (text[end..].StartsWith("\r\n"u8) ? 2 : 1))..];
        }

        output.Write(text);
    }

    private static void WriteCursor(IBufferWriter<byte> output, string epoch, long position)
    {
        WriteAscii(output, epoch);
        var span = output.GetSpan(24);
        span[0] = (byte)'_';
        Utf8Formatter.TryFormat(position, span[1..], out var written);
        output.Advance(written + 1);
    }

    private static void WriteAscii(IBufferWriter<byte> output, string text)
    {
        var span = output.GetSpan(text.Length);
        output.Advance(Encoding.ASCII.GetBytes(text, span));
    }
}

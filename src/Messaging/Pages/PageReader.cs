using System.Text.Json;

namespace Pipeline.Messaging;

/// <summary>Reads what <see cref="PageWriter"/> wrote: parses up to the bodies and slices those by their lengths.</summary>
internal static class PageReader
{
    public static BusPage Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            Expect(ref reader, JsonTokenType.StartObject, "the envelope");
            while (NextProperty(ref reader))
            {
                if (reader.ValueTextEquals("message"u8))
                {
                    Expect(ref reader, JsonTokenType.StartObject, "message");
                    return ReadMessage(ref reader, body);
                }

                SkipValue(ref reader);
            }
        }
        catch (Exception exception) when (exception is InvalidOperationException or FormatException)
        {
            throw new JsonException($"a field of the page has the wrong type: {exception.Message}", exception);
        }

        throw new JsonException("the envelope has no message");
    }

    private static BusPage ReadMessage(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body)
    {
        Guid? relay = null;
        long? number = null, generation = null;
        var goodbye = false;
        List<Entry>? index = null;
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("relay"u8))
            {
                reader.Read();
                relay = reader.GetGuid();
            }
            else if (reader.ValueTextEquals("number"u8))
            {
                number = ReadInt64(ref reader);
            }
            else if (reader.ValueTextEquals("generation"u8))
            {
                generation = ReadInt64(ref reader);
            }
            else if (reader.ValueTextEquals("goodbye"u8))
            {
                reader.Read();
                goodbye = reader.GetBoolean();
            }
            else if (reader.ValueTextEquals("streams"u8))
            {
                index = ReadIndex(ref reader);
            }
            else if (reader.ValueTextEquals("events"u8))
            {
                Expect(ref reader, JsonTokenType.StartArray, "events");
                return new BusPage
                {
                    Relay = relay ?? throw Missing("relay"),
                    Number = number ?? throw Missing("number"),
                    Generation = generation ?? throw Missing("generation"),
                    Goodbye = goodbye,
                    Streams = Slice(index ?? throw Missing("streams"), body, (int)reader.BytesConsumed),
                };
            }
            else
            {
                SkipValue(ref reader);
            }
        }

        throw Missing("events");
    }

    private static List<Entry> ReadIndex(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartArray, "streams");
        var index = new List<Entry>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            index.Add(ReadEntry(ref reader));
        }

        return index;
    }

    private static Entry ReadEntry(ref Utf8JsonReader reader)
    {
        string? stream = null;
        long? incarnation = null, first = null;
        List<int>? lengths = null;
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                stream = reader.GetString();
            }
            else if (reader.ValueTextEquals("incarnation"u8))
            {
                incarnation = ReadInt64(ref reader);
            }
            else if (reader.ValueTextEquals("first"u8))
            {
                first = ReadInt64(ref reader);
            }
            else if (reader.ValueTextEquals("lengths"u8))
            {
                lengths = ReadLengths(ref reader);
            }
            else
            {
                SkipValue(ref reader);
            }
        }

        return new Entry(
            stream ?? throw Missing("streams.stream"),
            incarnation ?? throw Missing("streams.incarnation"),
            first ?? throw Missing("streams.first"),
            lengths ?? throw Missing("streams.lengths"));
    }

    private static List<int> ReadLengths(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartArray, "lengths");
        var lengths = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            lengths.Add(reader.GetInt32());
        }

        return lengths;
    }

    private static BusPageStream[] Slice(List<Entry> index, ReadOnlyMemory<byte> body, int offset)
    {
        var streams = new BusPageStream[index.Count];
        var first = true;
        for (var i = 0; i < streams.Length; i++)
        {
            var entry = index[i];
            var bodies = entry.Lengths.Count == 0 ? [] : new ReadOnlyMemory<byte>[entry.Lengths.Count];
            for (var j = 0; j < bodies.Length; j++)
            {
                offset = first ? offset : Pass(body.Span, offset, (byte)',');
                first = false;
                var length = entry.Lengths[j];
                if (length < 1 || length > body.Length - offset)
                {
                    throw new JsonException($"length {length} of an event of {entry.Stream} lies outside the page");
                }

                bodies[j] = body.Slice(offset, length);
                offset += length;
            }

            streams[i] = new BusPageStream(entry.Stream, entry.Incarnation, entry.First, bodies);
        }

        _ = Pass(body.Span, offset, (byte)']');
        return streams;
    }

    private static int Pass(ReadOnlySpan<byte> body, int offset, byte expected) =>
        offset < body.Length && body[offset] == expected
            ? offset + 1
            : throw new JsonException($"the lengths do not fit the events: no '{(char)expected}' at byte {offset}");

    private static bool NextProperty(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    private static long ReadInt64(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetInt64();
    }

    private static void SkipValue(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string what)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw new JsonException($"{what} is not a {type}");
        }
    }

    private static JsonException Missing(string field) => new($"{field} is missing before the events");

    private readonly record struct Entry(string Stream, long Incarnation, long First, List<int> Lengths);
}

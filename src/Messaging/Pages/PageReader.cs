using System.Text.Json;

namespace Pipeline.Messaging;

/// <summary>
/// Reads what <see cref="PageWriter"/> wrote: parses up to the bodies and slices those by their lengths. Of streams that
/// are not wanted only the size is kept.
/// </summary>
internal static class PageReader
{
    public static BusPage Read(ReadOnlyMemory<byte> body, WantsStream? wants)
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
                    return ReadMessage(ref reader, body, wants);
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

    private static BusPage ReadMessage(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body, WantsStream? wants)
    {
        Guid? relay = null;
        long? number = null, generation = null;
        var goodbye = false;
        Index? index = null;
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
                index = ReadIndex(ref reader, wants);
            }
            else if (reader.ValueTextEquals("events"u8))
            {
                Expect(ref reader, JsonTokenType.StartArray, "events");
                var slices = Slice(index ?? throw Missing("streams"), body, (int)reader.BytesConsumed);
                return new BusPage
                {
                    Relay = relay ?? throw Missing("relay"),
                    Number = number ?? throw Missing("number"),
                    Generation = generation ?? throw Missing("generation"),
                    Goodbye = goodbye,
                    Streams = slices,
                    Unwanted = index.Entries.Count - slices.Count,
                };
            }
            else
            {
                SkipValue(ref reader);
            }
        }

        throw Missing("events");
    }

    private static Index ReadIndex(ref Utf8JsonReader reader, WantsStream? wants)
    {
        Expect(ref reader, JsonTokenType.StartArray, "streams");
        var index = new Index([], []);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            index.Entries.Add(ReadEntry(ref reader, index.Lengths, wants));
        }

        return index;
    }

    private static Entry ReadEntry(ref Utf8JsonReader reader, List<int> lengths, WantsStream? wants)
    {
        string? stream = null;
        var isUnwanted = false;
        long? incarnation = null, first = null;
        var from = lengths.Count;
        int? count = null;
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                isUnwanted = IsUnwanted(ref reader, wants);
                stream = isUnwanted ? "" : reader.GetString();
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
                count = ReadLengths(ref reader, lengths);
            }
            else
            {
                SkipValue(ref reader);
            }
        }

        return new Entry(
            stream ?? throw Missing("streams.stream"),
            isUnwanted,
            incarnation ?? throw Missing("streams.incarnation"),
            first ?? throw Missing("streams.first"),
            from,
            count ?? throw Missing("streams.lengths"));
    }

    // An escaped key is read whole: it is rare, and who wants it is asked again by the key itself.
    private static bool IsUnwanted(ref Utf8JsonReader reader, WantsStream? wants) =>
        wants is not null && reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped && !wants(reader.ValueSpan);

    private static int ReadLengths(ref Utf8JsonReader reader, List<int> lengths)
    {
        Expect(ref reader, JsonTokenType.StartArray, "lengths");
        var count = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            lengths.Add(reader.GetInt32());
        }

        return count;
    }

    private static List<BusPageStream> Slice(Index index, ReadOnlyMemory<byte> body, int offset)
    {
        var streams = new List<BusPageStream>();
        var isFirst = true;
        foreach (var entry in index.Entries)
        {
            var bodies = entry.IsUnwanted || entry.Count == 0 ? [] : new ReadOnlyMemory<byte>[entry.Count];
            for (var i = 0; i < entry.Count; i++)
            {
                offset = isFirst ? offset : Pass(body.Span, offset, (byte)',');
                isFirst = false;
                var length = index.Lengths[entry.From + i];
                if (length < 1 || length > body.Length - offset)
                {
                    throw new JsonException($"length {length} of the event at {entry.First + i} lies outside the page");
                }

                if (!entry.IsUnwanted)
                {
                    bodies[i] = body.Slice(offset, length);
                }

                offset += length;
            }

            if (!entry.IsUnwanted)
            {
                streams.Add(new BusPageStream(entry.Stream, entry.Incarnation, entry.First, bodies));
            }
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

    /// <param name="Lengths">Of all entries, one behind the other.</param>
    private sealed record Index(List<Entry> Entries, List<int> Lengths);

    private readonly record struct Entry(string Stream, bool IsUnwanted, long Incarnation, long First, int From, int Count);
}

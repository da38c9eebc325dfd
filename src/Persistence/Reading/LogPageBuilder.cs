using System.Data.Common;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Turns rows of either dialect into pages and heads.</summary>
internal static class LogPageBuilder
{
    /// <summary>Rows: generation, incarnation, head, trimmed, position, body; the last two null for no event.</summary>
    public static async Task<LogPage> ReadAsync(DbDataReader reader, LogQuery query, CancellationToken cancellationToken)
    {
        var events = new List<LogEvent>();
        var head = default(StreamHead);
        var (bytes, isFull, hasHead) = (0L, false, false);
        while (await reader.ReadAsync(cancellationToken))
        {
            if (!hasHead)
            {
                head = Head(reader, 0);
                hasHead = true;
            }

            if (isFull || reader.IsDBNull(4))
            {
                continue;
            }

            var body = reader.GetFieldValue<byte[]>(5);
            bytes += body.Length;
            isFull = events.Count > 0 && bytes > query.MaxBytes;
            if (!isFull)
            {
                events.Add(new LogEvent(reader.GetInt64(4), body));
            }
        }

        if (!hasHead)
        {
            throw new InvalidOperationException("Table log_generation is empty; the schema was not made by 'migrate'");
        }

        return new LogPage(head, events, Scanned(query, head, events, isFull));
    }

    /// <summary>Rows: stream, generation, incarnation, head, trimmed.</summary>
    public static async Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        DbDataReader reader, CancellationToken cancellationToken)
    {
        var heads = new Dictionary<StreamKey, StreamHead>();
        while (await reader.ReadAsync(cancellationToken))
        {
            heads[StreamKey.Parse(reader.GetString(0))] = Head(reader, 1);
        }

        return heads;
    }

    private static StreamHead Head(DbDataReader reader, int from) =>
        new(reader.GetInt64(from), reader.GetInt64(from + 1), reader.GetInt64(from + 2), reader.GetInt64(from + 3));

    private static long Scanned(LogQuery query, StreamHead head, List<LogEvent> events, bool isFull)
    {
        var start = Math.Max(query.After, head.Trimmed);
        var last = events.Count > 0 ? events[^1].Position : start;
        if (query.Thread is null || isFull || events.Count >= query.Limit)
        {
            return last;
        }

        // The whole window was looked at; the head is of the same snapshot. A position from the future stays as it is.
        return Math.Max(last, Math.Min(start > head.Head ? start : start + LogReader.ThreadWindow, head.Head));
    }
}

using System.Data.Common;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Turns rows of either dialect into pages and heads.</summary>
internal static class LogPageBuilder
{
    /// <summary>
    /// Rows: generation, incarnation, head, trimmed, position, body. Without a position there is no event; where there is no
    /// body it is too large, and the page ends. Null: that of the first event is.
    /// </summary>
    public static async Task<LogPage?> ReadAsync(DbDataReader reader, LogQuery query, CancellationToken cancellationToken)
    {
        var events = new List<LogEvent>();
        StreamHead? read = null;
        var (bytes, isFull) = (0L, false);
        while (!isFull && await reader.ReadAsync(cancellationToken))
        {
            read ??= Head(reader, 0);
            if (reader.IsDBNull(4))
            {
                break;
            }

            var position = reader.GetInt64(4);
            var body = reader.IsDBNull(5) ? null : reader.GetFieldValue<byte[]>(5);
            isFull = body is null || (events.Count > 0 && bytes + body.Length > query.MaxBytes);
            if (!isFull)
            {
                events.Add(new LogEvent(position, body));
                bytes += body!.Length;
                isFull = bytes >= query.MaxBytes;
            }
        }

        if (read is not { } head)
        {
            throw new InvalidOperationException("Table log_generation is empty; the schema was not made by 'migrate'");
        }

        return isFull && events.Count == 0 ? null : new LogPage(head, events, Scanned(query, head, events, isFull));
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

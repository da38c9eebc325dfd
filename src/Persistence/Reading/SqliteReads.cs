using System.Data.Common;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Reads of the log on SQLite: one statement each, so that head and events are of one snapshot.</summary>
internal static class SqliteReads
{
    private const string Page = """
        select g.generation, coalesce(h.incarnation, 1), coalesce(h.head, 0), coalesce(h.trimmed, 0), e.position, e.body
        from log_generation g
        left join stream_head h on h.stream = $stream
        left join (
          select l.position, case when length(cast(l.body as blob)) <= $largest then l.body end as body from event_log l
          where l.stream = $stream and l.position > $after {0} order by l.position limit $limit) e on true
        where g.id = 1 order by e.position
        """;

    private const string Window = """
        and l.thread = $thread and l.position <= $window
          + max($after, coalesce((select t.trimmed from stream_head t where t.stream = $stream), 0))
        """;

    private const string Heads = """
        select s.value, g.generation, coalesce(h.incarnation, 1), coalesce(h.head, 0), coalesce(h.trimmed, 0)
        from log_generation g, json_each($streams) s
        left join stream_head h on h.stream = s.value
        where g.id = 1
        """;

    private static readonly string WholeStream = Page.Replace("{0}", "", StringComparison.Ordinal);
    private static readonly string OneThread = Page.Replace("{0}", Window, StringComparison.Ordinal);

    public static async Task<LogPage?> ReadAsync(DbConnection connection, LogQuery query, CancellationToken cancellationToken)
    {
        await using var command = new SqliteCommand(query.Thread is null ? WholeStream : OneThread, (SqliteConnection)connection);
        command.Parameters.AddWithValue("$stream", query.Stream.Value);
        command.Parameters.AddWithValue("$after", query.After);
        command.Parameters.AddWithValue("$limit", query.Limit);
        command.Parameters.AddWithValue("$largest", query.LargestBody);
        if (query.Thread is { } thread)
        {
            command.Parameters.AddWithValue("$thread", thread);
            command.Parameters.AddWithValue("$window", LogReader.ThreadWindow);
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await LogPageBuilder.ReadAsync(reader, query, cancellationToken);
    }

    public static async Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        DbConnection connection, IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken)
    {
        await using var command = new SqliteCommand(Heads, (SqliteConnection)connection);
        command.Parameters.AddWithValue("$streams", JsonSerializer.Serialize(streams.Select(stream => stream.Value)));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await LogPageBuilder.ReadHeadsAsync(reader, cancellationToken);
    }
}

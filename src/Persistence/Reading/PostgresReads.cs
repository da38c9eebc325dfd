using Npgsql;
using Pipeline.Contracts;
using static Pipeline.Persistence.PostgresParameters;

namespace Pipeline.Persistence;

/// <summary>Reads of the log on PostgreSQL: one statement each, so that head and events are of one snapshot.</summary>
internal sealed class PostgresReads(NpgsqlDataSource source)
{
    // Bodies are stored uncompressed, so that their size is known unread: pg_column_size less the longest header. The store adds
    // up no sizes: that would cost as much as the reading.
    private const string Page = """
        select g.generation, coalesce(h.incarnation, 1), coalesce(h.head, 0), coalesce(h.trimmed, 0), e.position, e.body
        from pipeline.log_generation g
        left join pipeline.stream_head h on h.stream = $1
        left join lateral (
          select l.position, case when pg_column_size(l.body) - 4 <= $4 then l.body end as body from pipeline.event_log l
          where l.stream = $1 and l.position > $2 {0} order by l.position limit $3) e on true
        where g.id = 1 order by e.position
        """;

    private const string Window =
        "and l.position <= greatest($2, (select t.trimmed from pipeline.stream_head t where t.stream = $1)) + $5 and l.thread = $6";

    private const string Heads = """
        select s.stream, g.generation, coalesce(h.incarnation, 1), coalesce(h.head, 0), coalesce(h.trimmed, 0)
        from pipeline.log_generation g
        cross join unnest($1) as s(stream)
        left join lateral (
          select h.incarnation, h.head, h.trimmed from pipeline.stream_head h where h.stream = s.stream limit 1) h on true
        where g.id = 1
        """;

    private static readonly string WholeStream = Page.Replace("{0}", "", StringComparison.Ordinal);
    private static readonly string OneThread = Page.Replace("{0}", Window, StringComparison.Ordinal);

    public async Task<LogPage?> ReadAsync(LogQuery query, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(query.Thread is null ? WholeStream : OneThread);
        AddAll(command.Parameters, Of(query.Stream.Value), Of(query.After), Of((long)query.Limit), Of(query.LargestBody));
        if (query.Thread is { } thread)
        {
            AddAll(command.Parameters, Of((long)LogReader.ThreadWindow), Of(thread));
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await LogPageBuilder.ReadAsync(reader, query, cancellationToken);
    }

    public async Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(Heads);
        AddAll(command.Parameters, Of(streams.Select(stream => stream.Value).ToArray()));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await LogPageBuilder.ReadHeadsAsync(reader, cancellationToken);
    }
}

using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Turns outbox rows into what they point at.</summary>
internal static class OutboxBodies
{
    // Generation and incarnation come from the same snapshot as the bodies: an erasure in between would pass off old
    // events as the new history's.
    private const string PostgresEvents = """
        select o.id as "OutboxId", g.generation as "Generation", h.incarnation as "Incarnation",
               e.stream as "Stream", e.position as "Position", e.type as "Type", e.body as "Body"
        from pipeline.outbox o
        cross join lateral json_to_recordset(o.payload) as r(stream text, first bigint, last bigint)
        join pipeline.event_log e on e.stream = r.stream and e.position between r.first and r.last
        join pipeline.stream_head h on h.stream = e.stream
        cross join pipeline.log_generation g
        where o.id = any({0})
        order by o.id, e.stream, e.position
        """;

    private const string SqliteEvents = """
        select o.id as "OutboxId", g.generation as "Generation", h.incarnation as "Incarnation",
               e.stream as "Stream", e.position as "Position", e.type as "Type", e.body as "Body"
        from outbox o
        cross join json_each(o.payload) r
        join event_log e on e.stream = r.value ->> 'stream' and e.position between r.value ->> 'first' and r.value ->> 'last'
        join stream_head h on h.stream = e.stream
        cross join log_generation g
        where o.id in (select value from json_each({0}))
        order by o.id, e.stream, e.position
        """;

    private const string PostgresSizes = """
        select o.id as "Id", coalesce(sum(octet_length(e.body::text)), 0) as "Bytes"
        from pipeline.outbox o
        cross join lateral json_to_recordset(o.payload) as r(stream text, first bigint, last bigint)
        join pipeline.event_log e on e.stream = r.stream and e.position between r.first and r.last
        where o.id = any({0})
        group by o.id
        """;

    private const string SqliteSizes = """
        select o.id as "Id", sum(length(cast(e.body as blob))) as "Bytes"
        from outbox o
        cross join json_each(o.payload) r
        join event_log e on e.stream = r.value ->> 'stream' and e.position between r.value ->> 'first' and r.value ->> 'last'
        where o.id in (select value from json_each({0}))
        group by o.id
        """;

    /// <summary>The oldest rows that fit into the bound.</summary>
    public static async Task<IReadOnlyList<long>> ChooseAsync(
        PipelineContext context, IQueryable<OutboxRow> rows, OutboxBound bound, CancellationToken cancellationToken)
    {
        var found = await rows.OrderBy(row => row.Id).Take(bound.Rows)
            .Select(row => new { row.Id, row.Kind }).ToListAsync(cancellationToken);
        var ids = found.Where(row => row.Kind == OutboxKind.Events).Select(row => row.Id).ToArray();
        var sizes = await Query<OutboxSize>(context, PostgresSizes, SqliteSizes, ids)
            .ToDictionaryAsync(size => size.Id, size => size.Bytes, cancellationToken);
        var chosen = new List<long>();
        var bytes = 0L;
        foreach (var row in found)
        {
            bytes += sizes.GetValueOrDefault(row.Id);
            if (chosen.Count > 0 && bytes > bound.Bytes)
            {
                break;
            }

            chosen.Add(row.Id);
        }

        return chosen;
    }

    public static async Task<IReadOnlyList<CommittedBatch>> ReadAsync(
        PipelineContext context, IQueryable<OutboxRow> rows, CancellationToken cancellationToken)
    {
        var found = await rows.AsNoTracking().OrderBy(row => row.Id)
            .Select(row => new { row.Id, row.Kind, row.Payload }).ToListAsync(cancellationToken);
        if (found.Count == 0)
        {
            return [];
        }

        var ids = found.Where(row => row.Kind == OutboxKind.Events).Select(row => row.Id).ToArray();
        var events = (await Query<OutboxEvent>(context, PostgresEvents, SqliteEvents, ids).ToListAsync(cancellationToken)).ToLookup(e => e.OutboxId);
        var generation = await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
        return [.. found.Select(row => row.Kind == OutboxKind.Command
            ? new CommittedBatch(row.Id, generation, [], OutboxPayload.ReadCommand(row.Payload))
            : ToBatch(row.Id, generation, [.. events[row.Id]]))];
    }

    private static IQueryable<T> Query<T>(PipelineContext context, string postgres, string sqlite, long[] ids) =>
        context.Database.IsNpgsql()
            ? context.Database.SqlQueryRaw<T>(postgres, [ids])
            : context.Database.SqlQueryRaw<T>(sqlite, JsonSerializer.Serialize(ids));

    private static CommittedBatch ToBatch(long id, long generation, IReadOnlyList<OutboxEvent> events)
    {
        var ranges = new List<CommittedRange>();
        for (int start = 0, end; start < events.Count; start = end)
        {
            var first = events[start];
            end = start + 1;
            while (end < events.Count && events[end].Stream == first.Stream && events[end].Position == events[end - 1].Position + 1)
            {
                end++;
            }

            ranges.Add(new CommittedRange(
                StreamKey.Parse(first.Stream), first.Incarnation, first.Position,
                [.. events.Skip(start).Take(end - start).Select(e => new CommittedEvent(e.Type, Encoding.UTF8.GetBytes(e.Body)))]));
        }

        return new CommittedBatch(id, events.Count > 0 ? events[0].Generation : generation, ranges, Command: null);
    }

    private sealed record OutboxEvent(
        long OutboxId, long Generation, long Incarnation, string Stream, long Position, string Type, string Body);

    private sealed record OutboxSize(long Id, long Bytes);
}

using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Turns outbox rows into what they point at.</summary>
internal static class OutboxBodies
{
    private const long MaxBytes = 16 * 1024 * 1024;

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
        var (events, complete) = await ReadEventsAsync(context, ids, cancellationToken);
        var generation = await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
        return [.. found.Where(row => row.Id <= complete).Select(row => row.Kind == OutboxKind.Command
            ? new CommittedBatch(row.Id, generation, [], OutboxPayload.ReadCommand(row.Payload))
            : ToBatch(row.Id, generation, [.. events[row.Id]]))];
    }

    /// <summary>The events of the rows up to <c>Complete</c>, the last row that was read to its end.</summary>
    private static async Task<(ILookup<long, OutboxEvent> Events, long Complete)> ReadEventsAsync(
        PipelineContext context, long[] ids, CancellationToken cancellationToken)
    {
        var events = new List<OutboxEvent>();
        var complete = long.MaxValue;
        if (ids.Length > 0)
        {
            var bytes = 0L;
            await foreach (var next in Query(context, ids).AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                if (bytes >= MaxBytes && next.OutboxId != events[^1].OutboxId)
                {
                    complete = events[^1].OutboxId;
                    break;
                }

                events.Add(next);
                bytes += next.Body.Length;
            }
        }

        return (events.ToLookup(e => e.OutboxId), complete);
    }

    private static IQueryable<OutboxEvent> Query(PipelineContext context, long[] ids) =>
        context.Database.IsNpgsql()
            ? context.Database.SqlQueryRaw<OutboxEvent>(PostgresEvents, [ids])
            : context.Database.SqlQueryRaw<OutboxEvent>(SqliteEvents, JsonSerializer.Serialize(ids));

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
}

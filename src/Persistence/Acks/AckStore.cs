using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// How far each client of a user has processed. Monotonic within an epoch; another epoch replaces. Every method throws
/// <see cref="System.Data.Common.DbException"/> or <see cref="TimeoutException"/> while the database is away.
/// </summary>
public sealed class AckStore(PipelineDatabase database, TimeProvider time)
{
    /// <summary>Most clients kept a user; the longest unused goes first.</summary>
    public const int MaxClients = 32;

    private const int RowsPerStatement = 500;

    /// <summary>The client's last ack, or null.</summary>
    public async Task<Cursor?> ReadAsync(StreamKey stream, string client, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var row = await context.Acks.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Stream == stream.Value && row.Client == client, cancellationToken);
        return row is null ? null : new Cursor(row.Epoch, row.Position);
    }

    /// <summary>
    /// Stores acks, many at once. One that is behind the stored one of the same epoch is ignored, and so is one of
    /// <see cref="Cursor.Oldest"/>, which says nothing. Of several for one client, the last epoch's furthest counts.
    /// </summary>
    public async Task WriteAsync(IReadOnlyCollection<ClientAck> acks, CancellationToken cancellationToken)
    {
        var latest = Merge(acks);
        if (latest.Count == 0)
        {
            return;
        }

        await using var context = database.CreateContext();
        foreach (var chunk in latest.Chunk(RowsPerStatement))
        {
            await UpsertAsync(context, chunk, cancellationToken);
        }

        await TrimAsync(context, [.. latest.Select(ack => ack.Stream.Value).Distinct()], cancellationToken);
    }

    /// <summary>One ack a client, in the order in which every process locks the rows.</summary>
    private static List<ClientAck> Merge(IReadOnlyCollection<ClientAck> acks)
    {
        var latest = new Dictionary<(StreamKey, string), ClientAck>();
        foreach (var ack in acks.Where(ack => !ack.Cursor.IsOldest))
        {
            var key = (ack.Stream, ack.Client);
            if (!latest.TryGetValue(key, out var known)
                || known.Cursor.Epoch != ack.Cursor.Epoch || known.Cursor.Position < ack.Cursor.Position)
            {
                latest[key] = ack;
            }
        }

        return [.. latest.Values.OrderBy(ack => ack.Stream).ThenBy(ack => ack.Client, StringComparer.Ordinal)];
    }

    private async Task UpsertAsync(PipelineContext context, ClientAck[] acks, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var values = acks.Select((_, i) => string.Create(
            CultureInfo.InvariantCulture, $"({{{5 * i}}},{{{5 * i + 1}}},{{{5 * i + 2}}},{{{5 * i + 3}}},{{{5 * i + 4}}})"));
        var schema = database.IsSqlite ? "" : PostgresPipelineContext.SchemaName + ".";
        var sql = $"""
            insert into {schema}client_ack (stream, client, epoch, position, updated_at)
            values {string.Join(',', values)}
            on conflict (stream, client) do update
            set epoch = excluded.epoch, position = excluded.position, updated_at = excluded.updated_at
            where client_ack.epoch <> excluded.epoch or client_ack.position < excluded.position
            """;
        var parameters = acks.SelectMany(
            ack => new object[] { ack.Stream.Value, ack.Client, ack.Cursor.Epoch!, ack.Cursor.Position, now });
        await context.Database.ExecuteSqlRawAsync(sql, parameters, cancellationToken);
    }

    /// <summary>Deletes what exceeds <see cref="MaxClients"/>; as a rule that is nothing.</summary>
    private static async Task TrimAsync(PipelineContext context, string[] streams, CancellationToken cancellationToken)
    {
        var crowded = await context.Acks.Where(row => streams.Contains(row.Stream))
            .GroupBy(row => row.Stream).Where(clients => clients.Count() > MaxClients)
            .Select(clients => clients.Key).ToListAsync(cancellationToken);
        foreach (var stream in crowded)
        {
            await context.Acks.Where(row => row.Stream == stream)
                .OrderByDescending(row => row.UpdatedAt).ThenBy(row => row.Client).Skip(MaxClients)
                .ExecuteDeleteAsync(cancellationToken);
        }
    }
}

public readonly record struct ClientAck(StreamKey Stream, string Client, Cursor Cursor);

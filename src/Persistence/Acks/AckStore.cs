using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// How far each client of a user has processed: in the stream's current epoch, and only ever forward. Every method throws
/// <see cref="System.Data.Common.DbException"/> or <see cref="TimeoutException"/> while the database is away.
/// </summary>
public sealed class AckStore(PipelineDatabase database, TimeProvider time)
{
    /// <summary>Most clients kept a user; the longest unused goes first.</summary>
    public const int MaxClients = 32;

    private const int AcksPerTransaction = 500;

    // Any number of writers, or one erasure that is about to commit. The number is arbitrary.
    private const string Share =
        "select pg_advisory_xact_lock_shared(7305811), set_config('idle_in_transaction_session_timeout', '10s', true)";

    private const string Exclude = "select pg_advisory_xact_lock(7305811)";

    /// <summary>The client's last ack, or null.</summary>
    public async Task<Cursor?> ReadAsync(StreamKey stream, string client, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var row = await context.Acks.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Stream == stream.Value && row.Client == client, cancellationToken);
        return row is null ? null : new Cursor(row.Epoch, row.Position);
    }

    /// <summary>
    /// Stores acks, many at once. One that is behind the stored one is ignored, and so is one of another epoch than the
    /// stream's current: a node that flushes late brings nothing back that was erased or replaced meanwhile.
    /// </summary>
    public async Task WriteAsync(IReadOnlyCollection<ClientAck> acks, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        foreach (var chunk in Merge(acks).Chunk(AcksPerTransaction))
        {
            await StoreAsync(context, chunk, cancellationToken);
            await TrimAsync(context, Streams(chunk), cancellationToken);
        }
    }

    /// <summary>
    /// What clients have not acked, most first: of one user, or of all users' clients that are behind.
    /// </summary>
    /// <param name="most">Clients at most.</param>
    public async Task<IReadOnlyList<Undelivered>> ReadUndeliveredAsync(
        StreamKey? stream, int most, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var generation = await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
        var now = time.GetUtcNow().UtcDateTime;
        var key = stream?.Value;
        var rows = await context.Acks
            .Where(ack => key == null || ack.Stream == key)
            .Join(context.Heads, ack => ack.Stream, head => head.Stream, (ack, head) => new { Ack = ack, head.Incarnation, head.Head })
            .Where(row => key != null || row.Head > row.Ack.Position)
            .OrderByDescending(row => row.Head - row.Ack.Position).ThenBy(row => row.Ack.Stream).ThenBy(row => row.Ack.Client)
            .Take(most).AsNoTracking().ToListAsync(cancellationToken);
        return
        [
            .. rows.Select(row => (row.Ack, row.Head, Key: StreamKey.Parse(row.Ack.Stream), row.Incarnation)).Select(row => new Undelivered(
                row.Key, row.Ack.Client, row.Head, row.Ack.Position, now - row.Ack.UpdatedAt,
                row.Ack.Epoch == Epoch.Of(generation, row.Key, row.Incarnation))),
        ];
    }

    /// <summary>
    /// Deletes a user's acks inside the transaction that begins the stream's next incarnation, as its last step but that:
    /// whoever stores acks waits until it is over, and then sees the new one.
    /// </summary>
    internal static async Task EraseAsync(PipelineContext context, StreamKey stream, CancellationToken cancellationToken)
    {
        await LockAsync(context, Exclude, cancellationToken);
        await context.Acks.Where(row => row.Stream == stream.Value).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>The furthest ack of a client in each epoch, in the order in which every process locks the rows.</summary>
    private static IEnumerable<ClientAck> Merge(IReadOnlyCollection<ClientAck> acks) => acks
        .Where(ack => !ack.Cursor.IsOldest)
        .GroupBy(ack => (ack.Stream, ack.Client, ack.Cursor.Epoch))
        .Select(client => client.MaxBy(ack => ack.Cursor.Position))
        .OrderBy(ack => ack.Stream).ThenBy(ack => ack.Client, StringComparer.Ordinal);

    private static string[] Streams(ClientAck[] acks) => [.. acks.Select(ack => ack.Stream.Value).Distinct()];

    private static async Task LockAsync(PipelineContext context, string sql, CancellationToken cancellationToken)
    {
        if (context.Database.IsNpgsql())
        {
            await context.Database.ExecuteSqlRawAsync(sql, cancellationToken);
        }
    }

    private async Task StoreAsync(PipelineContext context, ClientAck[] acks, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, Share, cancellationToken);
        var current = await ReadEpochsAsync(context, Streams(acks), cancellationToken);
        ClientAck[] valid = [.. acks.Where(ack => ack.Cursor.Epoch == current[ack.Stream])];
        if (valid.Length > 0)
        {
            await UpsertAsync(context, valid, cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<Dictionary<StreamKey, string>> ReadEpochsAsync(
        PipelineContext context, string[] streams, CancellationToken cancellationToken)
    {
        var generation = await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
        var incarnations = await context.Heads.Where(row => streams.Contains(row.Stream))
            .ToDictionaryAsync(row => row.Stream, row => row.Incarnation, cancellationToken);
        return streams.ToDictionary(
            StreamKey.Parse, stream => Epoch.Of(generation, StreamKey.Parse(stream), incarnations.GetValueOrDefault(stream, 1)));
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
            var unused = await context.Acks.AsNoTracking().Where(row => row.Stream == stream)
                .OrderByDescending(row => row.UpdatedAt).ThenBy(row => row.Client).Skip(MaxClients).ToListAsync(cancellationToken);
            foreach (var ack in unused)
            {
                // One at a time, so that whoever locks several in their order never waits for one who waits for it.
                await context.Acks.Where(row => row.Stream == stream && row.Client == ack.Client && row.UpdatedAt == ack.UpdatedAt)
                    .ExecuteDeleteAsync(cancellationToken);
            }
        }
    }
}

/// <summary>How far a client has processed.</summary>
/// <param name="Client">The client's own name, unique within the stream.</param>
/// <param name="Cursor">Everything up to here; <see cref="Cursor.Oldest"/> says nothing and is not stored.</param>
public readonly record struct ClientAck(StreamKey Stream, string Client, Cursor Cursor);

/// <summary>What one client has not acked.</summary>
/// <param name="Head">Position of the stream's newest event.</param>
/// <param name="Acked">The client's last ack.</param>
/// <param name="Age">Since that ack was stored.</param>
/// <param name="IsCurrent">Whether the ack is of the stream's current epoch; else the client will have to start over.</param>
public sealed record Undelivered(StreamKey Stream, string Client, long Head, long Acked, TimeSpan Age, bool IsCurrent)
{
    /// <summary>Events behind the ack; all of them where it is of another epoch.</summary>
    public long Events => IsCurrent ? Math.Max(0, Head - Acked) : Head;
}

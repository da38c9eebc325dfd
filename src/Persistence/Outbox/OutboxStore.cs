using System.Data.Common;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence;

/// <summary>
/// The outbox table. No method holds a lock when it returns. Every method throws
/// <see cref="System.Data.Common.DbException"/> or <see cref="TimeoutException"/> while the database is away.
/// </summary>
public sealed class OutboxStore(PipelineDatabase database, ProcessIdentity identity)
{
    // Any constant of the project's own; it serializes taking, per database.
    private const string TryLock = "select pg_try_advisory_xact_lock(7236042811) as \"Value\"";

    // The delete need not survive a crash: what comes back is published again. So it does not compete for the disk with
    // appends. An id of another generation, or of another owner, may be another row by now.
    private const string PostgresDelete = """
        delete from pipeline.outbox
        where id = any(@ids) and owner = @owner and exists (select from pipeline.log_generation where generation = @generation)
        """;

    private const string WithoutFlush = "select set_config('synchronous_commit', 'off', true)";

    /// <summary>Deletes this process's rows after the broker confirmed. Rows that are gone already are no error.</summary>
    /// <param name="generation">Of the batches: rows of another generation stay, whatever their ids.</param>
    public async Task DeleteAsync(long generation, IReadOnlyCollection<long> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return;
        }

        if (database.IsSqlite)
        {
            await using var context = database.CreateContext();
            await context.Outbox
                .Where(row => ids.Contains(row.Id) && row.Owner == identity.Id && context.Generations.Any(g => g.Generation == generation))
                .ExecuteDeleteAsync(cancellationToken);
            return;
        }

        await using var connection = await database.OpenAsync(cancellationToken);
        await using var batch = connection.CreateBatch();
        Add(batch, WithoutFlush);
        Add(batch, PostgresDelete, ("ids", ids.ToArray()), ("owner", identity.Id), ("generation", generation));
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// Makes rows without an owner this process's own and reads what they point at, oldest first. On PostgreSQL one process
    /// takes at a time: while another does, the answer is empty.
    /// </summary>
    public async Task<IReadOnlyList<CommittedBatch>> TakeUnownedAsync(OutboxBound bound, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await TakeAsync(context, row => row.Owner == null, bound, cancellationToken);
    }

    /// <summary>The same for rows of owners whose lease expired, or who are not in the process table at all.</summary>
    public async Task<IReadOnlyList<CommittedBatch>> TakeAbandonedAsync(
        IReadOnlyCollection<Guid> expired, OutboxBound bound, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await TakeAsync(
            context,
            row => row.Owner != null && row.Owner != identity.Id
                && (expired.Contains(row.Owner.Value) || !context.Processes.Any(process => process.Id == row.Owner)),
            bound,
            cancellationToken);
    }

    /// <summary>Ids of this process's own rows behind <paramref name="after"/>, oldest first: the relay compares them with what it holds.</summary>
    public async Task<IReadOnlyList<long>> ReadOwnIdsAsync(long after, int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await context.Outbox.Where(row => row.Owner == identity.Id && row.Id > after)
            .OrderBy(row => row.Id).Take(limit).Select(row => row.Id).ToListAsync(cancellationToken);
    }

    /// <summary>The database's generation.</summary>
    public async Task<long> ReadGenerationAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
    }

    /// <summary>
    /// What rows point at, read from the log, oldest row first. Ranges that retention removed are left out. Rows that are
    /// not in the answer stay what they were, for another call.
    /// </summary>
    public async Task<IReadOnlyList<CommittedBatch>> ReadAsync(
        IReadOnlyCollection<long> ids, OutboxBound bound, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var chosen = await OutboxBodies.ChooseAsync(context, context.Outbox.Where(row => ids.Contains(row.Id)), bound, cancellationToken);
        return await OutboxBodies.ReadAsync(context, context.Outbox.Where(row => chosen.Contains(row.Id)), cancellationToken);
    }

    private async Task<IReadOnlyList<CommittedBatch>> TakeAsync(
        PipelineContext context, Expression<Func<OutboxRow, bool>> takeable, OutboxBound bound, CancellationToken cancellationToken)
    {
        var rows = context.Outbox.Where(takeable);
        if (!await rows.AnyAsync(cancellationToken))
        {
            return [];
        }

        // SQLite has one writer at a time anyway, and its update looks at the owner again.
        await using var transaction = database.IsSqlite ? null : await context.Database.BeginTransactionAsync(cancellationToken);
        if (transaction is not null && !await context.Database.SqlQueryRaw<bool>(TryLock).SingleAsync(cancellationToken))
        {
            return [];
        }

        var ids = await OutboxBodies.ChooseAsync(context, rows, bound, cancellationToken);
        await context.Outbox.Where(row => ids.Contains(row.Id)).Where(takeable)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Owner, identity.Id), cancellationToken);
        if (transaction is not null)
        {
            await transaction.CommitAsync(cancellationToken);
        }

        return await OutboxBodies.ReadAsync(
            context, context.Outbox.Where(row => ids.Contains(row.Id) && row.Owner == identity.Id), cancellationToken);
    }

    private static void Add(DbBatch batch, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = batch.CreateBatchCommand();
        command.CommandText = text;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        batch.BatchCommands.Add(command);
    }
}

/// <summary>How much is read from the outbox at once; the first row is read whatever its size.</summary>
public readonly record struct OutboxBound(int Rows, long Bytes);

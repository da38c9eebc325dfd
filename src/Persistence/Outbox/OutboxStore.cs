using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence;

/// <summary>
/// The outbox table. No method holds a lock when it returns. Every method throws
/// <see cref="System.Data.Common.DbException"/> or <see cref="TimeoutException"/> while the database is away.
/// </summary>
public sealed class OutboxStore(PipelineDatabase database, ProcessIdentity identity)
{
    /// <summary>Deletes rows after the broker confirmed. Rows that are gone already are no error.</summary>
    public async Task DeleteAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken)
    {
        if (ids.Count > 0)
        {
            await using var context = database.CreateContext();
            await context.Outbox.Where(row => ids.Contains(row.Id)).ExecuteDeleteAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Makes rows without an owner this process's own and reads what they point at, oldest first; see
    /// <see cref="ReadAsync"/> for how much at once.
    /// </summary>
    public async Task<IReadOnlyList<CommittedBatch>> TakeUnownedAsync(int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await TakeAsync(context, row => row.Owner == null, limit, cancellationToken);
    }

    /// <summary>The same for rows of owners whose lease expired, or who are not in the process table at all.</summary>
    public async Task<IReadOnlyList<CommittedBatch>> TakeAbandonedAsync(
        IReadOnlyCollection<Guid> expired, int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await TakeAsync(
            context,
            row => row.Owner != null && row.Owner != identity.Id
                && (expired.Contains(row.Owner.Value) || !context.Processes.Any(process => process.Id == row.Owner)),
            limit,
            cancellationToken);
    }

    /// <summary>Ids of this process's own rows, oldest first: the relay compares them with what it holds.</summary>
    public async Task<IReadOnlyList<long>> ReadOwnIdsAsync(int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await context.Outbox.Where(row => row.Owner == identity.Id)
            .OrderBy(row => row.Id).Take(limit).Select(row => row.Id).ToListAsync(cancellationToken);
    }

    /// <summary>
    /// What rows point at, read from the log, oldest row first. Ranges that retention removed are left out. Reading ends
    /// after the row that made it 16 MB: rows that are not in the answer stay what they were, for another call.
    /// </summary>
    public async Task<IReadOnlyList<CommittedBatch>> ReadAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await OutboxBodies.ReadAsync(context, context.Outbox.Where(row => ids.Contains(row.Id)), cancellationToken);
    }

    private async Task<IReadOnlyList<CommittedBatch>> TakeAsync(
        PipelineContext context, Expression<Func<OutboxRow, bool>> takeable, int limit, CancellationToken cancellationToken)
    {
        var ids = await context.Outbox.Where(takeable)
            .OrderBy(row => row.Id).Take(limit).Select(row => row.Id).ToArrayAsync(cancellationToken);
        if (ids.Length == 0)
        {
            return [];
        }

        await Free(context, ids).Where(takeable)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Owner, identity.Id), cancellationToken);
        return await OutboxBodies.ReadAsync(
            context, context.Outbox.Where(row => ids.Contains(row.Id) && row.Owner == identity.Id), cancellationToken);
    }

    /// <summary>The rows that no other process is taking at this moment, as they are under their lock.</summary>
    private IQueryable<OutboxRow> Free(PipelineContext context, long[] ids) =>
        database.IsSqlite
            ? context.Outbox.Where(row => ids.Contains(row.Id))
            : context.Outbox.FromSqlRaw("select * from pipeline.outbox where id = any({0}) for update skip locked", [ids]);
}

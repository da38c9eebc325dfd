using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What an operator does to the log.</summary>
public sealed class LogAdmin(PipelineDatabase database, TimeProvider time)
{
    private const int EraseEvents = 5_000;

    // A migration may rewrite a table.
    private static readonly TimeSpan MigrationTimeout = TimeSpan.FromMinutes(30);

    /// <summary>Creates or updates the schema. Returns the migrations it applied.</summary>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        context.Database.SetCommandTimeout(MigrationTimeout);
        using var turn = await SqliteMigrationGuard.EnterAsync(context.Database, time, cancellationToken);
        var before = (await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToHashSet();
        await context.Database.MigrateAsync(cancellationToken);
        return [.. context.Database.GetMigrations().Where(id => !before.Contains(id))];
    }

    /// <summary>
    /// Begins a new epoch of every stream, after a restore or a failover that may have lost commits: no client's cursor
    /// fits any more, and each is told to start over. Returns the new generation.
    /// </summary>
    public async Task<long> BeginEpochAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        await using var context = database.CreateContext();
        await context.Generations.ExecuteUpdateAsync(
            row => row.SetProperty(g => g.Generation, g => g.Generation + 1 > now ? g.Generation + 1 : now), cancellationToken);
        return await context.Generations.Select(row => row.Generation).SingleAsync(cancellationToken);
    }

    /// <summary>
    /// Deletes everything of a user and begins a new incarnation of the stream. Returns how many events are gone.
    /// </summary>
    public async Task<long> EraseAsync(StreamKey stream, CancellationToken cancellationToken)
    {
        await using var locked = await database.LockStreamAsync(stream, cancellationToken);
        var context = locked.Context;
        var erased = 0L;
        for (var upTo = locked.Head.Trimmed; upTo < locked.Head.Head;)
        {
            // In pieces, so that no statement runs into its timeout; they commit together.
            upTo += EraseEvents;
            erased += await context.Events.Where(row => row.Stream == stream.Value && row.Position <= upTo)
                .ExecuteDeleteAsync(cancellationToken);
        }

        await context.Runs.Where(row => row.Stream == stream.Value).ExecuteDeleteAsync(cancellationToken);
        await context.Acks.Where(row => row.Stream == stream.Value).ExecuteDeleteAsync(cancellationToken);
        await context.Idempotency.Where(row => row.Stream == stream.Value).ExecuteDeleteAsync(cancellationToken);
        await context.Heads.Where(row => row.Stream == stream.Value).ExecuteUpdateAsync(
            row => row.SetProperty(head => head.Incarnation, head => head.Incarnation + 1)
                .SetProperty(head => head.Head, 0L)
                .SetProperty(head => head.Trimmed, 0L),
            cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return erased;
    }
}

using System.Data;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What an operator does to the log.</summary>
public sealed class LogAdmin(PipelineDatabase database, TimeProvider time)
{
    private const int EraseEvents = 5_000;

    // A migration may rewrite a table.
    private static readonly TimeSpan MigrationTimeout = TimeSpan.FromMinutes(30);

    // A change that waits for its table's lock makes every append wait behind it: it gives up, and comes again.
    private static readonly TimeSpan MigrationLockTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MigrationPause = TimeSpan.FromSeconds(2);
    private const int MigrationTries = 20;

    /// <summary>Creates or updates the schema. Returns the migrations it applied.</summary>
    /// <exception cref="TimeoutException">Long transactions hold a table, or another process migrates; nothing is half done.</exception>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        for (var number = 1; ; number++)
        {
            try
            {
                return await MigrateOnceAsync(cancellationToken);
            }
            catch (Exception held) when (database.Log.Classify(held) == Failure.LockTimeout)
            {
                if (number == MigrationTries)
                {
                    throw new TimeoutException(
                        $"A table stayed locked for {MigrationLockTimeout:c}, {number} times; end the transactions that pg_stat_activity shows as long, and migrate again",
                        held);
                }

                await Task.Delay(MigrationPause, time, cancellationToken);
            }
        }
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
        await context.Idempotency.Where(row => row.Stream == stream.Value).ExecuteDeleteAsync(cancellationToken);
        await AckStore.EraseAsync(context, stream, cancellationToken);
        await context.Heads.Where(row => row.Stream == stream.Value).ExecuteUpdateAsync(
            row => row.SetProperty(head => head.Incarnation, head => head.Incarnation + 1)
                .SetProperty(head => head.Head, 0L)
                .SetProperty(head => head.Trimmed, 0L),
            cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return erased;
    }

    private async Task<IReadOnlyList<string>> MigrateOnceAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        context.Database.SetCommandTimeout(MigrationTimeout);
        using var turn = await SqliteMigrationGuard.EnterAsync(context.Database, time, cancellationToken);
        var before = (await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToHashSet();

        // Where there is no database yet, migrating makes it, and nobody holds anything.
        if (database.IsSqlite || !await context.Database.CanConnectAsync(cancellationToken))
        {
            await context.Database.MigrateAsync(cancellationToken);
        }
        else
        {
            await MigrateBoundedAsync(context.Database, cancellationToken);
        }

        return [.. context.Database.GetMigrations().Where(id => !before.Contains(id))];
    }

    private static async Task MigrateBoundedAsync(DatabaseFacade migrated, CancellationToken cancellationToken)
    {
        await migrated.OpenConnectionAsync(cancellationToken);
        try
        {
            var milliseconds = MigrationLockTimeout.TotalMilliseconds.ToString(CultureInfo.InvariantCulture);
            await migrated.ExecuteSqlAsync($"select set_config('lock_timeout', {milliseconds}, false)", cancellationToken);
            await migrated.MigrateAsync(cancellationToken);
        }
        finally
        {
            if (migrated.GetDbConnection().State == ConnectionState.Open)
            {
                // The pool gives the session to others.
                await migrated.ExecuteSqlRawAsync("reset lock_timeout", CancellationToken.None);
            }

            await migrated.CloseConnectionAsync();
        }
    }
}

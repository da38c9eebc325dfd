using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Pipeline.Persistence;

/// <summary>
/// One process at a time migrates a SQLite file. EF Core guards that by a row, which a killed process leaves behind, and
/// everyone after it waits for that row. A lock on a file dies with its holder: who has it may remove the row.
/// </summary>
internal static class SqliteMigrationGuard
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>Waits for its turn. Dispose what is returned when the migration is over; null where nothing needs guarding.</summary>
    /// <exception cref="TimeoutException">Another process does not come to an end.</exception>
    /// <exception cref="IOException">The file's folder is missing or can't be written to.</exception>
    public static async Task<IDisposable?> EnterAsync(DatabaseFacade database, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!database.IsSqlite()
            || new SqliteConnectionStringBuilder(database.GetConnectionString()).DataSource is not { Length: > 0 } file
            || file == ":memory:")
        {
            return null;
        }

        var turn = await LockAsync($"{file}-migrating", time, cancellationToken);
        try
        {
            await RemoveAbandonedAsync(database, cancellationToken);
            return turn;
        }
        catch
        {
            await turn.DisposeAsync();
            throw;
        }
    }

    private static async Task<FileStream> LockAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        for (var start = time.GetTimestamp(); time.GetElapsedTime(start) < Longest;)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                await Task.Delay(Pause, time, cancellationToken);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                throw new IOException(
                    $"'{path}' can't be written ({problem.Message}); make its folder, or correct Persistence:ConnectionString", problem);
            }
        }

        throw new TimeoutException($"Another process has held '{path}' for {Longest:c}; end it, or let it end, and migrate again");
    }

    private static async Task RemoveAbandonedAsync(DatabaseFacade database, CancellationToken cancellationToken)
    {
        var there = await database
            .SqlQueryRaw<int>("select count(*) as Value from sqlite_master where name = '__EFMigrationsLock'")
            .SingleAsync(cancellationToken);
        if (there > 0)
        {
            await database.ExecuteSqlRawAsync("delete from __EFMigrationsLock", cancellationToken);
        }
    }
}

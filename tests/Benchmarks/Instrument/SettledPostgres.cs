using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>
/// Makes a new server one that has run for a while and is set up to commit evenly. Its write-ahead log has its files from before: one
/// that is missing is made when it is needed, and meanwhile no transaction commits (15 to 35 ms each time). Checkpoints come by the
/// clock: one that begins because so much was written ends with a disk that is busy for 0.4 s, in one run and not in the next. And what
/// is written goes to the disk at once, not all of it every 30 s (140 ms at 10,000 events a second).
/// </summary>
internal static class SettledPostgres
{
    private const int Segments = 64;

    public static async Task SettleAsync(PostgresServer postgres)
    {
        await RunAsync(postgres, "alter system set max_wal_size = '4 GB'");
        await RunAsync(postgres, $"alter system set min_wal_size = '{Segments * 16} MB'");
        await RunAsync(postgres, "alter system set backend_flush_after = '1 MB'");
        await RunAsync(postgres, "select pg_reload_conf()");
        for (var i = 0; i < Segments; i++)
        {
            // One with nothing in it would not be left.
            await RunAsync(postgres, "select pg_create_restore_point('benchmark'), pg_switch_wal()");
        }

        // What lies before a checkpoint is kept for later.
        await CheckpointAsync(postgres);
    }

    /// <summary>The next one is five minutes away.</summary>
    public static Task CheckpointAsync(PostgresServer postgres) => RunAsync(postgres, "checkpoint");

    private static async Task RunAsync(PostgresServer postgres, string sql)
    {
        await using var connection = new NpgsqlConnection(postgres.Administrator);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

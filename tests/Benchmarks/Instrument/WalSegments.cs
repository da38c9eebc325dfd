using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>
/// Gives a new server the files of its write-ahead log that one which has run for a while has from before. A file that is missing is
/// made when it is needed, and meanwhile no transaction commits: 15 to 35 ms each time.
/// </summary>
internal static class WalSegments
{
    private const int Count = 64;

    public static async Task FillAsync(PostgresServer postgres)
    {
        await using var connection = new NpgsqlConnection(postgres.Administrator);
        await connection.OpenAsync();
        await RunAsync($"alter system set min_wal_size = '{Count * 16} MB'");
        await RunAsync("select pg_reload_conf()");
        for (var i = 0; i < Count; i++)
        {
            // An empty one is not left.
            await RunAsync("select pg_create_restore_point('benchmark'), pg_switch_wal()");
        }

        // What lies before a checkpoint is kept for later.
        await RunAsync("checkpoint");

        async Task RunAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }
}

using System.Diagnostics;
using Npgsql;

namespace Pipeline.Benchmarks;

/// <summary>The bare limit of a replay: PostgreSQL copies the same rows out, and nobody looks at them.</summary>
internal static class CopyOut
{
    /// <summary>Rows a second.</summary>
    public static async Task<double> ReadAsync(string connectionString, string user, long rows)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        var began = Stopwatch.GetTimestamp();
        await using (var copy = await connection.BeginRawBinaryCopyAsync(
            $"copy (select position, body from pipeline.event_log where stream = '7:default:{user}' order by position) to stdout (format binary)"))
        {
            var buffer = new byte[64 * 1024];
            while (await copy.ReadAsync(buffer, CancellationToken.None) > 0)
            {
                // Drained.
            }
        }

        return rows / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}

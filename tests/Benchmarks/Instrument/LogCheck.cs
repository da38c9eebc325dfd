using Npgsql;

namespace Pipeline.Benchmarks;

/// <summary>Judges the log itself, where nobody reads: each stream holds what was acknowledged, once, and without a hole.</summary>
internal static class LogCheck
{
    private const string Check = """
        select h.n, count(e.position), count(distinct e.position), count(distinct e.event_id),
               count(*) filter (where e.sequence <> e.position), coalesce(max(e.position), 0)
        from unnest(@heads) with ordinality as h(head, n)
        left join pipeline.event_log e on e.stream = @prefix || (h.n - 1)
        group by h.n
        """;

    public static async Task<Verdict> RunAsync(Stage stage, string prefix, long[] heads)
    {
        await using var source = NpgsqlDataSource.Create(stage.Cluster.ConnectionString);
        await using var command = source.CreateCommand(Check);
        command.CommandTimeout = 120;
        command.Parameters.AddWithValue("heads", heads);
        // The key that StreamKey.Of gives, up to the number.
        command.Parameters.AddWithValue("prefix", $"7:default:{prefix}-");
        var verdict = default(Verdict);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var (head, rows, positions) = (heads[reader.GetInt64(0) - 1], reader.GetInt64(1), reader.GetInt64(2));
            verdict += new Verdict(
                Lost: Math.Max(0, head - positions),
                Doubled: rows - Math.Min(positions, reader.GetInt64(3)),
                Disordered: reader.GetInt64(4) + Math.Abs(reader.GetInt64(5) - positions));
        }

        return verdict;
    }
}

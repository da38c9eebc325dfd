using Npgsql;

namespace Pipeline.Benchmarks;

/// <summary>Fills the log faster than by appending: heads, runs and rows as the producer's, who can go on from there.</summary>
internal static class LogFill
{
    private const string Heads = """
        insert into pipeline.stream_head (stream, head)
        select '7:default:' || @prefix || '-' || n, @events from generate_series(@first, @last) n
        """;

    private const string Runs = """
        insert into pipeline.agent_run (
          stream, run, thread, agent, status, attempt, lease_counter, can_resume, first_position, last_sequence, cancel_requested, input,
          requested_at, started_at)
        select '7:default:' || @prefix || '-' || n, 'run', 'thread', '', 1, 0, 1, false, 1, @events, false, '', now(), now()
        from generate_series(@first, @last) n
        """;

    private const string Rows = """
        insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
        select '7:default:' || @prefix || '-' || n, p, lpad(to_hex(p), 32, '0')::uuid, 'agent_message', 'thread', 'run', p, now(),
               decode(repeat('ab', 16), 'hex'),
               ('{"id":"' || lpad(to_hex(p), 32, '0')::uuid || '","type":"agent_message","time":"2026-01-01T00:00:00.000Z",'
                || '"thread":"thread","run":"run","sequence":' || p
                || ',"data":{"text":"' || repeat('0', 19) || ' ' || repeat('x', 100) || '","delta":true}}')::json
        from generate_series(@first, @last) n, generate_series(1, @events) p
        """;

    /// <summary>Streams <c>PREFIX-FIRST</c> and up, of so many events each.</summary>
    public static async Task RunAsync(Stage stage, string prefix, int first, int streams, int events)
    {
        await using var source = NpgsqlDataSource.Create(stage.Cluster.ConnectionString);

        // Two at a time: as many as the machine has cores.
        var half = (streams + 1) / 2;
        await Task.WhenAll(FillAsync(source, prefix, first, half, events), FillAsync(source, prefix, first + half, streams - half, events));

        // Done now, it does not disturb what is measured next.
        await ExecuteAsync(source.CreateCommand("vacuum (analyze) pipeline.event_log, pipeline.stream_head, pipeline.agent_run"));
        await ExecuteAsync(source.CreateCommand("checkpoint"));
    }

    private static async Task FillAsync(NpgsqlDataSource source, string prefix, int first, int streams, int events)
    {
        foreach (var sql in new[] { Heads, Runs, Rows })
        {
            var command = source.CreateCommand(sql);
            command.Parameters.AddWithValue("prefix", prefix);
            command.Parameters.AddWithValue("first", first);
            command.Parameters.AddWithValue("last", first + streams - 1);
            command.Parameters.AddWithValue("events", events);
            await ExecuteAsync(command);
        }
    }

    private static async Task ExecuteAsync(NpgsqlCommand command)
    {
        await using (command)
        {
            command.CommandTimeout = 0;
            await command.ExecuteNonQueryAsync();
        }
    }
}

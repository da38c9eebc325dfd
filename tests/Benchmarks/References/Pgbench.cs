using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace Pipeline.Benchmarks;

/// <summary>
/// The bare limit of an append on this machine: pgbench, prepared statements, and nothing but the head and the rows, on our own
/// tables, with rows of the same shape and size. No dedupe, no fence, no run, no outbox, no relay.
/// </summary>
internal static partial class Pgbench
{
    // No colon before a letter or digit: pgbench would take what follows for a variable.
    private const string Rows = """
        'agent_message', 'thread', 'run', p.position, now(),
        decode(repeat('ab', 16), 'hex'),
        ('{"id":"01990000-0000-7000-8000-000000000000","type":"agent_message","time":"2026-01-01T00.00.00.000Z","thread":"thread","run":"run","sequence": 1000,"data":{"text":"' || repeat('x', 120) || '","delta": true}}')::json
        """;

    /// <summary>Events a second, of clients with a stream each and so many events a transaction.</summary>
    public static Task<double> AppendAsync(string connectionString, int clients, int events, double seconds) => RunAsync(
        connectionString,
        clients,
        events,
        seconds,
        $"""
        begin;
        insert into pipeline.stream_head (stream, head) values ('bare-' || :client_id, {events})
          on conflict (stream) do update set head = stream_head.head + {events} returning head as head \gset
        insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
          select 'bare-' || :client_id, p.position, lpad(to_hex(p.position), 32, '0')::uuid, {Rows}
          from generate_series(:head - {events} + 1, :head) as p(position);
        commit;
        """);

    /// <summary>The same for a group: two clients, one event of each of their streams a transaction.</summary>
    public static Task<double> AppendGroupAsync(string connectionString, int streams, double seconds) => RunAsync(
        connectionString,
        clients: 2,
        streams / 2,
        seconds,
        $"""
        begin;
        insert into pipeline.stream_head (stream, head)
          select 'bare-' || :client_id || '-' || lpad(n::text, 4, '0'), 1 from generate_series(1, {streams / 2}) n
          on conflict (stream) do update set head = stream_head.head + 1;
        insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
          select p.stream, p.position, lpad(to_hex(p.position), 32, '0')::uuid, {Rows}
          from (select h.stream, h.head as position from pipeline.stream_head h
                where h.stream >= 'bare-' || :client_id || '-' and h.stream < 'bare-' || :client_id || '.') p;
        commit;
        """);

    private static async Task<double> RunAsync(string connectionString, int clients, int events, double seconds, string script)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, script);
            var to = new NpgsqlConnectionStringBuilder(connectionString);
            var start = new ProcessStartInfo(Find(), [
                "--no-vacuum", "--protocol=prepared", $"--file={file}", $"--client={clients}", "--jobs=2",
                $"--time={Math.Ceiling(seconds).ToString(CultureInfo.InvariantCulture)}",
                $"--host={to.Host}", $"--port={to.Port}", $"--username={to.Username}", to.Database!])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["PGPASSWORD"] = to.Password;
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 && Tps().Match(output) is { Success: true } tps
                ? events * double.Parse(tps.Groups[1].Value, CultureInfo.InvariantCulture)
                : throw new InvalidOperationException($"pgbench ended with {process.ExitCode}: {string.Concat((await errors).Take(500))}");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Find() =>
        Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateFiles("/usr/lib/postgresql", "pgbench", SearchOption.AllDirectories).OrderDescending().FirstOrDefault() ?? "pgbench"
            : "pgbench";

    [GeneratedRegex(@"tps = ([0-9.]+) \(without")]
    private static partial Regex Tps();
}

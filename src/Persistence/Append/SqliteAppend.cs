using System.Data.Common;
using Microsoft.Data.Sqlite;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The append's statements on SQLite, one after the other under the database's write lock.</summary>
internal sealed class SqliteAppend(DbTransaction transaction, DateTime now)
{
    private const string SelectGeneration = "select generation from log_generation where id = 1";

    private const string CreateHead =
        "insert into stream_head (stream, incarnation, head, trimmed) values ($stream, 1, 0, 0) on conflict (stream) do nothing";

    private const string SelectHead = "select incarnation, head, trimmed from stream_head where stream = $stream";

    private const string SelectKnown =
        "select position, sequence, hash from event_log where stream = $stream and event_id = $id";

    private const string SelectRun = "select thread, status, attempt, last_sequence from agent_run where stream = $stream and run = $run";

    private const string InsertEvent = """
        insert into event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
        values ($stream, $position, $id, $type, $thread, $run, $sequence, $occurred, $hash, cast($body as text))
        """;

    private const string AdvanceHead = "update stream_head set head = $head where stream = $stream";

    private const string AdvanceRun = """
        insert into agent_run (
          stream, run, thread, agent, status, attempt, lease_counter, lease_seconds, last_sequence, cancel_requested, input,
          first_position, requested_at, started_at, ended_at)
        values ($stream, $run, $thread, '', coalesce($ending, 1), 0, 1, $lease, $sequence, 0, '', $first, $now, $started, $ended)
        on conflict (stream, run) do update set
          last_sequence = excluded.last_sequence,
          status = coalesce($ending, status),
          lease_counter = lease_counter + 1,
          lease_seconds = coalesce(excluded.lease_seconds, lease_seconds),
          started_at = coalesce(started_at, excluded.started_at),
          ended_at = excluded.ended_at
        """;

    private const string InsertOutbox =
        "insert into outbox (id, owner, kind, payload) values ($id, $owner, 0, $payload)";

    // The row of the sequence is not there before the first insert.
    private const string NextOutboxId =
        "select coalesce((select seq from sqlite_sequence where name = 'outbox'), 0) + 1";

    private readonly SqliteConnection _connection = (SqliteConnection)transaction.Connection!;

    public AppendLookup LookUp(IReadOnlyList<IReadOnlyList<NewEvent>> units)
    {
        var heads = new Dictionary<StreamKey, StreamHead>();
        var known = new Dictionary<(StreamKey, Guid), KnownEvent>();
        var runs = new Dictionary<RunKey, RunState>();
        foreach (var e in units.SelectMany(unit => unit))
        {
            if (!heads.ContainsKey(e.Stream))
            {
                heads[e.Stream] = ReadHead(e.Stream);
            }

            if (ReadKnown(e) is { } earlier)
            {
                known[(e.Stream, e.Id)] = earlier;
            }

            var key = new RunKey(e.Stream, e.Run);
            if (!runs.ContainsKey(key) && ReadRun(key) is { } run)
            {
                runs[key] = run;
            }
        }

        return new AppendLookup(ReadGeneration(), Query(NextOutboxId, row => row.GetInt64(0)), heads, known, runs);
    }

    public void Store(AppendPlan plan, Guid? owner)
    {
        foreach (var (e, position, sequence, body) in plan.Events)
        {
            Execute(
                InsertEvent,
                ("$stream", e.Stream.Value), ("$position", position), ("$id", e.Id), ("$type", e.Type), ("$thread", e.Thread),
                ("$run", e.Run), ("$sequence", sequence), ("$occurred", e.OccurredAt.UtcDateTime),
                ("$hash", e.Hash), ("$body", body.ToArray()));
        }

        foreach (var range in plan.Ranges)
        {
            Execute(AdvanceHead, ("$head", range.Last), ("$stream", range.Stream.Value));
        }

        foreach (var run in plan.Runs)
        {
            Execute(
                AdvanceRun,
                ("$stream", run.Key.Stream.Value), ("$run", run.Key.Run), ("$thread", run.Thread), ("$first", run.FirstPosition),
                ("$lease", run.LeaseSeconds), ("$sequence", run.LastSequence), ("$now", now),
                ("$started", run.HasStarted ? now : null), ("$ended", run.Ending is null ? null : now), ("$ending", (int?)run.Ending));
        }

        Execute(InsertOutbox, ("$id", plan.OutboxId), ("$owner", owner), ("$payload", plan.OutboxPayload));
    }

    public StreamHead ReadHead(StreamKey stream)
    {
        Execute(CreateHead, ("$stream", stream.Value));
        var generation = ReadGeneration();
        return Query(
            SelectHead,
            row => new StreamHead(generation, row.GetInt64(0), row.GetInt64(1), row.GetInt64(2)),
            ("$stream", stream.Value));
    }

    private long ReadGeneration()
    {
        var generation = Query(SelectGeneration, row => row.GetInt64(0));
        return generation != 0
            ? generation
            : throw new InvalidOperationException("Table log_generation is empty; the schema was not made by 'migrate'");
    }

    private KnownEvent? ReadKnown(NewEvent e) => Query(
        SelectKnown,
        row => (KnownEvent?)new KnownEvent(row.GetInt64(0), row.GetInt64(1), row.GetFieldValue<byte[]>(2)),
        ("$stream", e.Stream.Value), ("$id", e.Id));

    private RunState? ReadRun(RunKey key) => Query(
        SelectRun,
        row => new RunState(row.GetString(0), row.GetInt32(1) >= (int)RunStatus.Completed, row.GetInt32(2), row.GetInt64(3)),
        ("$stream", key.Stream.Value), ("$run", key.Run));

    private void Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = Command(sql, parameters);
        command.ExecuteNonQuery();
    }

    /// <summary>The first row, or default.</summary>
    private T? Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = Command(sql, parameters);
        using var reader = command.ExecuteReader();
        return reader.Read() ? read(reader) : default;
    }

    private SqliteCommand Command(string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = new SqliteCommand(sql, _connection, (SqliteTransaction)transaction);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}

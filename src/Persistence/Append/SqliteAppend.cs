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
          requested_at, started_at, ended_at)
        values ($stream, $run, $thread, '', coalesce($ending, 1), 0, 1, $lease, $sequence, 0, '', $now, $started, $ended)
        on conflict (stream, run) do update set
          last_sequence = excluded.last_sequence,
          status = coalesce($ending, status),
          lease_counter = lease_counter + 1,
          lease_seconds = coalesce(excluded.lease_seconds, lease_seconds),
          started_at = coalesce(started_at, excluded.started_at),
          ended_at = excluded.ended_at
        """;

    private const string InsertOutbox =
        "insert into outbox (owner, kind, payload) values ($owner, 0, $payload) returning id";

    private readonly SqliteConnection _connection = (SqliteConnection)transaction.Connection!;
    private readonly Dictionary<StreamKey, StreamHead> _heads = [];
    private readonly Dictionary<StreamKey, OutboxRange> _ranges = [];

    public StoredAppend Run(IReadOnlyList<IReadOnlyList<NewEvent>> units, Guid? owner)
    {
        var rows = new List<AppendRow>();
        foreach (var unit in units)
        {
            var plan = Judge(unit);
            if (plan.TrueForAll(row => row.Verdict == Verdict.Accepted))
            {
                Store(unit, plan);
            }

            rows.AddRange(plan);
        }

        long? outboxId = _ranges.Count == 0
            ? null
            : Query(InsertOutbox, row => row.GetInt64(0), ("$owner", owner), ("$payload", OutboxPayload.Write(_ranges.Values)));
        return StoredAppend.From(units, rows, ReadGeneration(), outboxId);
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

    private List<AppendRow> Judge(IReadOnlyList<NewEvent> unit)
    {
        var rows = new List<AppendRow>(unit.Count);
        var runs = new Dictionary<(StreamKey, string), RunState>();
        var positions = new Dictionary<StreamKey, long>();
        foreach (var e in unit)
        {
            if (!_heads.TryGetValue(e.Stream, out var head))
            {
                _heads[e.Stream] = head = ReadHead(e.Stream);
            }

            if (LookUp(e, head) is { } known)
            {
                rows.Add(known);
                continue;
            }

            var state = runs.GetValueOrDefault((e.Stream, e.Run)) ?? ReadRun(e);
            var position = positions.GetValueOrDefault(e.Stream, head.Head) + 1;
            rows.Add(new AppendRow(
                state.Judge(e), position, state.LastSequence + 1, false, head.Incarnation, state.Thread, state.Attempt));
            runs[(e.Stream, e.Run)] = state with { LastSequence = state.LastSequence + 1, HasEnded = state.HasEnded || e.IsTerminal };
            positions[e.Stream] = position;
        }

        return rows;
    }

    private AppendRow? LookUp(NewEvent e, StreamHead head) => Query(
        SelectKnown,
        row => (AppendRow?)new AppendRow(
            row.GetFieldValue<byte[]>(2).AsSpan().SequenceEqual(e.Hash) ? Verdict.Accepted : Verdict.IdConflict,
            row.GetInt64(0), row.GetInt64(1), true, head.Incarnation, null, null),
        ("$stream", e.Stream.Value), ("$id", e.Id));

    private RunState ReadRun(NewEvent e) => Query(
        SelectRun,
        row => new RunState(row.GetString(0), row.GetInt32(1) >= (int)RunStatus.Completed, row.GetInt32(2), row.GetInt64(3)),
        ("$stream", e.Stream.Value), ("$run", e.Run)) ?? new RunState(e.Thread, false, null, 0);

    private void Store(IReadOnlyList<NewEvent> unit, List<AppendRow> rows)
    {
        foreach (var (e, row) in unit.Zip(rows).Where(pair => !pair.Second.Duplicate))
        {
            Execute(
                InsertEvent,
                ("$stream", e.Stream.Value), ("$position", row.Position), ("$id", e.Id), ("$type", e.Type), ("$thread", e.Thread),
                ("$run", e.Run), ("$sequence", row.Sequence), ("$occurred", e.OccurredAt.UtcDateTime),
                ("$hash", e.Hash), ("$body", EventBody.Numbered(e, row.Sequence).ToArray()));
            Execute(AdvanceHead, ("$head", row.Position), ("$stream", e.Stream.Value));
            AdvanceRunTo(e, row.Sequence);
            _heads[e.Stream] = _heads[e.Stream] with { Head = row.Position };
            _ranges[e.Stream] = _ranges.TryGetValue(e.Stream, out var range)
                ? range with { Last = row.Position }
                : new OutboxRange(e.Stream, row.Position, row.Position);
        }
    }

    private void AdvanceRunTo(NewEvent e, long sequence) => Execute(
        AdvanceRun,
        ("$stream", e.Stream.Value), ("$run", e.Run), ("$thread", e.Thread), ("$lease", e.LeaseSeconds), ("$sequence", sequence),
        ("$now", now), ("$started", e.Type == EventTypes.AgentStarted ? now : null), ("$ended", e.IsTerminal ? now : null),
        ("$ending", Ending(e.Type)));

    private static int? Ending(string type) => type switch
    {
        EventTypes.AgentCompleted => (int)RunStatus.Completed,
        EventTypes.AgentFailed => (int)RunStatus.Failed,
        EventTypes.AgentCancelled => (int)RunStatus.Cancelled,
        _ => null,
    };

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

    private sealed record RunState(string Thread, bool HasEnded, int? Attempt, long LastSequence)
    {
        public Verdict Judge(NewEvent e) =>
            HasEnded ? Verdict.RunEnded
            : e.Attempt != (Attempt ?? 0) ? Verdict.Fenced
            : e.Thread != Thread ? Verdict.ThreadMismatch
            : e.Sequence != 0 && e.Sequence != LastSequence + 1 ? Verdict.SequenceMismatch
            : Verdict.Accepted;
    }
}

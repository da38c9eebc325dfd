using System.Data.Common;
using Npgsql;
using Pipeline.Contracts;
using static Pipeline.Persistence.PostgresParameters;

namespace Pipeline.Persistence;

/// <summary>One append on PostgreSQL: a round trip that locks and looks up, and one that stores and, where asked, commits.</summary>
internal sealed class PostgresAppend(DbTransaction transaction, PersistenceOptions options, AppendMode mode)
{
    /// <summary>Locks the streams' heads and looks up the events and their runs.</summary>
    public async Task<AppendLookup> LookUpAsync(IReadOnlyList<NewEvent> events, CancellationToken cancellationToken)
    {
        var streams = events.Select(e => e.Stream).Distinct().ToArray();
        var runs = events.Select(e => new RunKey(e.Stream, e.Run)).Distinct().ToArray();
        await using var batch = NewBatch();
        AddLocks(batch, streams);
        Add(batch, PostgresAppendSql.FindEvents, Column(events, e => e.Stream.Value), Column(events, e => e.Id));
        Add(batch, PostgresAppendSql.FindRuns, Column(runs, run => run.Stream.Value), Column(runs, run => run.Run));

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var (generation, outboxId, identity, own) = await ReadGenerationAsync(reader, cancellationToken);
        var heads = await ReadHeadsAsync(reader, streams, generation, cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var known = new Dictionary<(StreamKey, Guid), KnownEvent>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var e = events[(int)reader.GetInt64(0) - 1];
            known[(e.Stream, e.Id)] = new KnownEvent(reader.GetInt64(1), reader.GetInt64(2), reader.GetFieldValue<byte[]>(3));
        }

        await reader.NextResultAsync(cancellationToken);
        var states = new Dictionary<RunKey, RunState>();
        while (await reader.ReadAsync(cancellationToken))
        {
            states[runs[(int)reader.GetInt64(0) - 1]] = new RunState(
                reader.GetString(1), reader.GetInt32(2) >= (int)RunStatus.Completed, reader.GetInt32(3), reader.GetInt64(4));
        }

        return new AppendLookup(generation, outboxId, heads, known, states, identity, own);
    }

    /// <summary>Locks one head. Null: it is locked by another or missing, and the mode is not to wait.</summary>
    public async Task<StreamHead?> LockAsync(StreamKey stream, CancellationToken cancellationToken)
    {
        await using var batch = NewBatch();
        AddLocks(batch, [stream]);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var (generation, _, _, _) = await ReadGenerationAsync(reader, cancellationToken);
        var heads = await ReadHeadsAsync(reader, [stream], generation, cancellationToken);
        return heads.TryGetValue(stream, out var head) ? head : null;
    }

    public async Task StoreAsync(AppendPlan plan, DateTime now, bool commit, CancellationToken cancellationToken)
    {
        await using var batch = NewBatch();
        if (!plan.StoresNothing)
        {
            AddWrites(batch, plan, now);
        }

        if (!mode.Own)
        {
            Add(batch, PostgresAppendSql.EndForeign);
        }

        if (commit)
        {
            Add(batch, PostgresAppendSql.Commit);
        }

        if (batch.BatchCommands.Count > 0)
        {
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private void AddWrites(NpgsqlBatch batch, AppendPlan plan, DateTime now)
    {
        var (events, ranges, runs) = (plan.Events, plan.Ranges, plan.Runs);
        Add(
            batch, PostgresAppendSql.InsertEvents,
            Column(events, e => e.Event.Stream.Value), Column(events, e => e.Position), Column(events, e => e.Event.Id),
            Column(events, e => e.Event.Type), Column(events, e => e.Event.Thread), Column(events, e => e.Event.Run),
            Column(events, e => e.Sequence), Column(events, e => e.Event.OccurredAt.UtcDateTime),
            Column(events, e => e.Event.Hash), Json(events, e => e.Body));
        Add(batch, PostgresAppendSql.AdvanceHeads, Column(ranges, r => r.Stream.Value), Column(ranges, r => r.Last));
        Add(
            batch, PostgresAppendSql.AdvanceRuns,
            Column(runs, r => r.Key.Stream.Value), Column(runs, r => r.Key.Run), Column(runs, r => r.Thread),
            Column(runs, r => (int?)r.Ending), Column(runs, r => r.LeaseSeconds), Column(runs, r => r.LastSequence),
            Column(runs, r => r.HasStarted), Column(runs, r => r.FirstPosition), Of(now));
        if (plan.Identity is { } identity)
        {
            Add(batch, PostgresAppendSql.RecordIdentity, Of(identity.SystemId), Of(identity.Timeline));
        }

        Add(batch, PostgresAppendSql.InsertOutbox, Of(plan.OutboxId), Owner(mode.Owner), Json(plan.OutboxPayload));
    }

    private void AddLocks(NpgsqlBatch batch, StreamKey[] streams)
    {
        var locks = Of(Milliseconds(options.LockTimeout));
        var statement = Of(Milliseconds(options.CommandTimeout));
        if (mode.Own)
        {
            // A process that is stopped in mid-transaction must not hold its users' heads for ever.
            Add(batch, PostgresAppendSql.BeginOwn, locks, statement, Of(Milliseconds(options.CommandTimeout)));
        }
        else
        {
            Add(batch, PostgresAppendSql.BeginForeign, locks, statement);
        }

        if (mode.Wait)
        {
            Add(batch, PostgresAppendSql.CreateHeads, Column(streams, stream => stream.Value));
        }

        Add(batch, mode.Wait ? PostgresAppendSql.Lock : PostgresAppendSql.LockFree, Column(streams, stream => stream.Value));
    }

    private static async Task<(long Generation, long OutboxId, DatabaseIdentity? ToRecord, ulong Transaction)> ReadGenerationAsync(
        NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        if (!await reader.ReadAsync(cancellationToken))
        {
            throw new InvalidOperationException("Table pipeline.log_generation is empty; the schema was not made by 'migrate'");
        }

        var (generation, outboxId, transaction) = (reader.GetInt64(0), reader.GetInt64(5), reader.GetFieldValue<ulong>(6));
        var stored = new DatabaseIdentity(reader.GetString(1), reader.GetString(2));
        var current = new DatabaseIdentity(reader.GetString(3), reader.GetString(4));
        return stored == current ? (generation, outboxId, null, transaction)
            : stored.SystemId.Length == 0 ? (generation, outboxId, current, transaction)
            : throw new GenerationMovedException(current, generation);
    }

    private static async Task<Dictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        NpgsqlDataReader reader, StreamKey[] streams, long generation, CancellationToken cancellationToken)
    {
        await reader.NextResultAsync(cancellationToken);
        var heads = new Dictionary<StreamKey, StreamHead>(streams.Length);
        while (await reader.ReadAsync(cancellationToken))
        {
            heads[streams[reader.GetInt64(0) - 1]] =
                new StreamHead(generation, reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
        }

        return heads;
    }

    private NpgsqlBatch NewBatch() =>
        new((NpgsqlConnection)transaction.Connection!, (NpgsqlTransaction)transaction)
        {
            // The server's own timeout comes first and says more.
            Timeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds) + 2,
        };

    private static void Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        AddAll(command.Parameters, parameters);
        batch.BatchCommands.Add(command);
    }
}

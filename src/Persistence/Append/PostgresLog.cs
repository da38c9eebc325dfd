using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Pipeline.Contracts;
using static Pipeline.Persistence.PostgresParameters;

namespace Pipeline.Persistence;

/// <summary>The log on PostgreSQL.</summary>
internal sealed class PostgresLog : LogStore
{
    private readonly PersistenceOptions _options;
    private readonly TimeProvider _time;
    private readonly NpgsqlDataSource _source;
    private readonly DbContextOptions<PostgresPipelineContext> _contextOptions;
    private readonly PostgresReads _reads;

    public PostgresLog(PersistenceOptions options, string applicationName, TimeProvider time)
    {
        _options = options;
        _time = time;
        _source = NpgsqlDataSource.Create(Settings(options, applicationName));
        _contextOptions = PostgresPipelineContext.Configure(_source, _options.CommandTimeout);
        _reads = new PostgresReads(_source);
    }

    public override string ProviderName => "Npgsql.EntityFrameworkCore.PostgreSQL";

    public override PipelineContext CreateContext() => new PostgresPipelineContext(_contextOptions);

    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken) =>
        await _source.OpenConnectionAsync(cancellationToken);

    public override bool Understands(DbTransaction transaction) => transaction is NpgsqlTransaction;

    public override async Task<StoredAppend> AppendAsync(
        DbTransaction transaction, IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendMode mode, CancellationToken cancellationToken)
    {
        var events = units.SelectMany(unit => unit).ToList();
        var streams = events.Select(e => e.Stream.Value).Distinct(StringComparer.Ordinal).ToArray();
        var generation = mode.Own ? 0 : await CheckForeignAsync(transaction, cancellationToken);
        await using var batch = NewBatch(transaction);
        Begin(batch, mode.Own);
        AddLocks(batch, streams, mode.Wait);
        Add(batch, PostgresAppendSql.Append, [.. Columns(units, events), Owner(mode.Owner), Now()]);
        if (!mode.Own)
        {
            Add(batch, PostgresAppendSql.Unbound);
        }

        var rows = new List<AppendRow>(events.Count);
        long? outboxId = null;
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        if (mode.Own)
        {
            generation = await ReadGenerationAsync(reader, cancellationToken);
        }

        await reader.NextResultAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(ReadRow(reader));
            outboxId = reader.IsDBNull(7) ? null : reader.GetInt64(7);
        }

        return StoredAppend.From(units, rows, generation, outboxId);
    }

    public override async Task<StreamHead?> LockAsync(
        DbTransaction transaction, StreamKey stream, bool wait, CancellationToken cancellationToken)
    {
        await using var batch = NewBatch(transaction);
        Begin(batch, own: true);
        AddLocks(batch, [stream.Value], wait);
        Add(batch, PostgresAppendSql.ReadLocked, Text(stream.Value));
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var generation = await ReadGenerationAsync(reader, cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new StreamHead(generation, reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2))
            : null;
    }

    public override Task<LogPage> ReadAsync(LogQuery query, CancellationToken cancellationToken) =>
        _reads.ReadAsync(query, cancellationToken);

    public override Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken) =>
        _reads.ReadHeadsAsync(streams, cancellationToken);

    public override async Task RaiseGenerationAsync(GenerationMovedException moved, CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(PostgresAppendSql.RaiseGeneration);
        AddAll(command.Parameters, Text(moved.SystemId), Text(moved.Timeline), Of(_time.GetUtcNow().ToUnixTimeMilliseconds()));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public override Failure Classify(Exception exception)
    {
        var cause = exception;
        while (cause is not NpgsqlException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause switch
        {
            PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } => Failure.LockTimeout,
            NpgsqlException { IsTransient: true } => Failure.Transient,
            PostgresException { SqlState: PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown } => Failure.Transient,
            PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } when exception is not OperationCanceledException => Failure.StatementTimeout,
            PostgresException { SqlState: "25P03" or "25P04" } => Failure.Transient, // idle_in_transaction_session_timeout, transaction_timeout
            PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } => Failure.Transient, // a failover is under way
            _ => Failure.Permanent,
        };
    }

    public override ValueTask DisposeAsync() => _source.DisposeAsync();

    private static string Settings(PersistenceOptions options, string applicationName)
    {
        var settings = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            Enlist = false,
            CommandTimeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds),
        };
        settings.ApplicationName ??= applicationName;

        // Given by the user, "No Reset On Close" means PgBouncer, where prepared statements may not survive.
        if (!settings.ShouldSerialize("Max Auto Prepare") && !settings.NoResetOnClose)
        {
            settings.MaxAutoPrepare = 64;
        }

        // Nothing here changes a session beyond its transaction, and the reset costs more than an append.
        settings.NoResetOnClose = true;
        if (!settings.ShouldSerialize("Timeout"))
        {
            settings.Timeout = 5;
        }

        return settings.ConnectionString;
    }

    private void Begin(NpgsqlBatch batch, bool own)
    {
        var locks = Text(Milliseconds(_options.LockTimeout));
        var statement = Text(Milliseconds(_options.CommandTimeout));
        if (own)
        {
            // A process that is stopped in mid-transaction must not hold its users' heads for ever.
            Add(batch, PostgresAppendSql.BeginOwn, locks, statement, Text(Milliseconds(_options.CommandTimeout)));
        }
        else
        {
            Add(batch, PostgresAppendSql.Bound, locks, statement);
        }
    }

    private static void AddLocks(NpgsqlBatch batch, string[] streams, bool wait)
    {
        if (wait)
        {
            Add(batch, PostgresAppendSql.CreateHeads, Of(streams));
        }

        Add(batch, wait ? PostgresAppendSql.Lock : PostgresAppendSql.LockFree, Of(streams));
    }

    private async Task<long> CheckForeignAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadForeignAsync(transaction, cancellationToken);
        }
        catch (GenerationMovedException moved)
        {
            // Nothing is written yet, so the caller's transaction can go on under the raised generation.
            await RaiseGenerationAsync(moved, cancellationToken);
            return await ReadForeignAsync(transaction, cancellationToken);
        }
    }

    private async Task<long> ReadForeignAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        await using var batch = NewBatch(transaction);
        Add(batch, PostgresAppendSql.BeginForeign);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        return await ReadGenerationAsync(reader, cancellationToken);
    }

    private async Task<long> ReadGenerationAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        if (!await reader.ReadAsync(cancellationToken))
        {
            throw new InvalidOperationException("Table pipeline.log_generation is empty; the schema was not made by 'migrate'");
        }

        var (generation, systemId, timeline) = (reader.GetInt64(0), reader.GetString(1), reader.GetString(2));
        var (currentSystem, currentTimeline) = (reader.GetString(3), reader.GetString(4));
        if (systemId.Length == 0)
        {
            await using var record = _source.CreateCommand(PostgresAppendSql.RecordIdentity);
            AddAll(record.Parameters, Text(currentSystem), Text(currentTimeline));
            await record.ExecuteNonQueryAsync(cancellationToken);
        }
        else if (systemId != currentSystem || timeline != currentTimeline)
        {
            throw new GenerationMovedException(currentSystem, currentTimeline, generation);
        }

        return generation;
    }

    private NpgsqlBatch NewBatch(DbTransaction transaction) =>
        new((NpgsqlConnection)transaction.Connection!, (NpgsqlTransaction)transaction)
        {
            // The server's own timeout comes first and says more.
            Timeout = (int)Math.Ceiling(_options.CommandTimeout.TotalSeconds) + 2,
        };

    private static void Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        AddAll(command.Parameters, parameters);
        batch.BatchCommands.Add(command);
    }

    private static AppendRow ReadRow(NpgsqlDataReader reader) => new(
        (Verdict)reader.GetInt32(0),
        reader.GetInt64(1),
        reader.GetInt64(2),
        reader.GetBoolean(3),
        reader.GetInt64(4),
        reader.IsDBNull(5) ? null : reader.GetString(5),
        reader.IsDBNull(6) ? null : reader.GetInt32(6));

    private NpgsqlParameter Now() => Of(_time.GetUtcNow().UtcDateTime);
}

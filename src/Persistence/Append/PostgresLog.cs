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
    private readonly NpgsqlDataSource _groups;
    private readonly DbContextOptions<PostgresPipelineContext> _contextOptions;
    private readonly PostgresReads _reads;

    public PostgresLog(PersistenceOptions options, string applicationName, TimeProvider time)
    {
        _options = options;
        _time = time;
        var settings = Settings(options, applicationName);
        _source = NpgsqlDataSource.Create(settings.ConnectionString);

        // A pool hands out the connection that has rested longest, of however many the busiest moment opened, and a server process
        // that rests finds its caches cold: groups have a pool no larger than they are.
        settings.MaxPoolSize = GroupAppender.Writers;
        settings.MinPoolSize = 0;
        _groups = NpgsqlDataSource.Create(settings.ConnectionString);
        _contextOptions = PostgresPipelineContext.Configure(_source, _options.CommandTimeout);
        _reads = new PostgresReads(_source);
    }

    public override string ProviderName => "Npgsql.EntityFrameworkCore.PostgreSQL";

    public override PipelineContext CreateContext() => new PostgresPipelineContext(_contextOptions);

    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken) =>
        await _source.OpenConnectionAsync(cancellationToken);

    public override async Task<DbConnection> OpenForGroupAsync(CancellationToken cancellationToken) =>
        await _groups.OpenConnectionAsync(cancellationToken);

    public override bool Understands(DbTransaction transaction) => transaction is NpgsqlTransaction;

    public override async Task<AppendPlan> PlanAsync(
        DbTransaction transaction, IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendMode mode, CancellationToken cancellationToken)
    {
        var append = new PostgresAppend(transaction, _options, mode);
        var events = units.Count == 1 ? units[0] : [.. units.SelectMany(unit => unit)];
        try
        {
            return AppendJudge.Judge(units, await append.LookUpAsync(events, cancellationToken));
        }
        catch (GenerationMovedException moved) when (!mode.Own)
        {
            // Nothing is written yet, so the caller's transaction can go on under the raised generation.
            await RaiseGenerationAsync(moved, cancellationToken);
            return AppendJudge.Judge(units, await append.LookUpAsync(events, cancellationToken));
        }
    }

    public override async Task StoreAsync(
        DbTransaction transaction, AppendPlan plan, AppendMode mode, bool commit, CancellationToken cancellationToken)
    {
        var append = new PostgresAppend(transaction, _options, mode);
        try
        {
            await append.StoreAsync(plan, _time.GetUtcNow().UtcDateTime, commit, cancellationToken);
        }
        catch (Exception exception) when (commit && exception is not PostgresException { InvariantSeverity: "ERROR" })
        {
            // An error that the server reports as one rolled the transaction back; anything else may hide a commit.
            throw new CommitFailedException(plan.Stored, exception);
        }
    }

    public override Task<StreamHead?> LockAsync(
        DbTransaction transaction, StreamKey stream, bool wait, CancellationToken cancellationToken) =>
        new PostgresAppend(transaction, _options, new AppendMode(wait, Owner: null, Own: true)).LockAsync(stream, cancellationToken);

    public override Task<LogPage?> ReadAsync(LogQuery query, CancellationToken cancellationToken) =>
        _reads.ReadAsync(query, cancellationToken);

    public override Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken) =>
        _reads.ReadHeadsAsync(streams, cancellationToken);

    public override async Task RaiseGenerationAsync(GenerationMovedException moved, CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(PostgresAppendSql.RaiseGeneration);
        AddAll(
            command.Parameters,
            Of(moved.Current.SystemId), Of(moved.Current.Timeline), Of(_time.GetUtcNow().ToUnixTimeMilliseconds()));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public override async Task<bool?> WasCommittedAsync(DbTransaction asking, StoredAppend stored, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            PostgresAppendSql.WasCommitted, (NpgsqlConnection)asking.Connection!, (NpgsqlTransaction)asking);
        command.Parameters.Add(new NpgsqlParameter { Value = stored.Transaction!.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Xid8 });
        return await command.ExecuteScalarAsync(cancellationToken) as bool?;
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

    public override async ValueTask DisposeAsync()
    {
        await _groups.DisposeAsync();
        await _source.DisposeAsync();
    }

    private static NpgsqlConnectionStringBuilder Settings(PersistenceOptions options, string applicationName)
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

        return settings;
    }
}

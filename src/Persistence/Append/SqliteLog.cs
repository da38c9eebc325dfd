using System.Data.Common;
using Microsoft.Data.Sqlite;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The log on SQLite: a transaction holds the one write lock of the whole database.</summary>
internal sealed class SqliteLog : LogStore
{
    private const int Busy = 5;
    private const int Locked = 6;

    private readonly TimeProvider _time;
    private readonly string _connectionString;
    private readonly SqliteBusyTimeout _busyTimeout;
    private readonly Microsoft.EntityFrameworkCore.DbContextOptions<SqlitePipelineContext> _contextOptions;

    public SqliteLog(PersistenceOptions options, TimeProvider time)
    {
        _time = time;
        _busyTimeout = new SqliteBusyTimeout(options.LockTimeout);
        var settings = new SqliteConnectionStringBuilder(options.ConnectionString) { DefaultTimeout = 1 };
        _connectionString = settings.ConnectionString;
        _contextOptions = SqlitePipelineContext.Configure(_connectionString, _busyTimeout);
    }

    public override string ProviderName => "Microsoft.EntityFrameworkCore.Sqlite";

    public override PipelineContext CreateContext() => new SqlitePipelineContext(_contextOptions);

    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(_connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            _busyTimeout.Apply(connection);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public override bool Understands(DbTransaction transaction) => transaction is SqliteTransaction;

    public override Task<AppendPlan> PlanAsync(
        DbTransaction transaction, IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendMode mode, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(AppendJudge.Judge(units, new SqliteAppend(transaction, Now).LookUp(units)));
    }

    public override Task StoreAsync(
        DbTransaction transaction, AppendPlan plan, AppendMode mode, bool commit, CancellationToken cancellationToken)
    {
        if (!plan.StoresNothing)
        {
            new SqliteAppend(transaction, Now).Store(plan, mode.Owner);
        }

        return commit ? CommitAsync(transaction, plan) : Task.CompletedTask;
    }

    public override Task<StreamHead?> LockAsync(
        DbTransaction transaction, StreamKey stream, bool wait, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<StreamHead?>(new SqliteAppend(transaction, Now).ReadHead(stream));
    }

    public override async Task<LogPage?> ReadAsync(LogQuery query, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await SqliteReads.ReadAsync(connection, query, cancellationToken);
    }

    public override async Task<IReadOnlyDictionary<StreamKey, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<StreamKey> streams, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await SqliteReads.ReadHeadsAsync(connection, streams, cancellationToken);
    }

    public override Task RaiseGenerationAsync(GenerationMovedException moved, CancellationToken cancellationToken) =>
        throw new NotSupportedException("A SQLite file has no timelines; raise its generation with 'admin new-epoch'");

    public override Failure Classify(Exception exception)
    {
        var cause = exception;
        while (cause is not SqliteException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is SqliteException { SqliteErrorCode: Busy or Locked } ? Failure.LockTimeout : Failure.Permanent;
    }

    public override ValueTask DisposeAsync()
    {
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
        return ValueTask.CompletedTask;
    }

    private DateTime Now => _time.GetUtcNow().UtcDateTime;

    private static async Task CommitAsync(DbTransaction transaction, AppendPlan plan)
    {
        try
        {
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (Exception exception)
        {
            throw new CommitFailedException(plan.Stored, exception);
        }
    }
}

using System.Data;
using System.Diagnostics;
using Npgsql;

namespace Pipeline.Persistence.Tests;

/// <summary>Appends inside a transaction that somebody else owns.</summary>
public sealed class OwnersTransactionOnPostgres() : StoreSuite("postgres")
{
    [Fact]
    public async Task The_head_is_locked_at_once_and_until_the_owner_commits()
    {
        await One.AppendAsync(Events.Thinking());
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await One.Log.AppendAsync(transaction, [Events.Thinking()], Stop);

        Assert.Null(await Two.Database.TryLockStreamAsync(Alice, Stop));
        await transaction.CommitAsync(Stop);

        await using var locked = await Two.Database.TryLockStreamAsync(Alice, Stop);
        Assert.Equal(2, locked!.Head.Head);
    }

    [Fact]
    public async Task A_savepoint_undoes_an_append_that_failed()
    {
        var hasty = StartProcess(("Persistence:LockTimeout", "00:00:00.2"));
        await One.AppendAsync(Events.Thinking());
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await transaction.SaveAsync("before", Stop);
        await using (await One.Database.LockStreamAsync(Alice, Stop))
        {
            await Assert.ThrowsAsync<TimeoutException>(() => hasty.Log.AppendAsync(transaction, [Events.Thinking()], Stop));
        }

        await transaction.RollbackAsync("before", Stop);
        Assert.Equal(2, (await hasty.Log.AppendAsync(transaction, [Events.Thinking()], Stop)).Events[0].Position);
        await transaction.CommitAsync(Stop);
        Assert.Equal(2, (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Head);
    }

    [Fact]
    public async Task An_owners_stricter_lock_timeout_is_kept()
    {
        var patient = StartProcess(("Persistence:CommandTimeout", "00:02:00"), ("Persistence:LockTimeout", "00:01:00"));
        await One.AppendAsync(Events.Thinking());
        await using var locked = await One.Database.LockStreamAsync(Alice, Stop);
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await using var strict = new NpgsqlCommand("set local lock_timeout = '150ms'", connection);
        await strict.ExecuteNonQueryAsync(Stop);
        var clock = Stopwatch.StartNew();

        await Assert.ThrowsAsync<TimeoutException>(() => patient.Log.AppendAsync(transaction, [Events.Thinking()], Stop));

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData(IsolationLevel.RepeatableRead)]
    [InlineData(IsolationLevel.Serializable)]
    public async Task A_stricter_isolation_appends_or_fails_as_it_does_for_any_statement(IsolationLevel isolation)
    {
        await using var connection = await OpenAsync();
        await using (var alone = await connection.BeginTransactionAsync(isolation, Stop))
        {
            await One.Log.AppendAsync(alone, [Events.Started()], Stop);
            await alone.CommitAsync(Stop);
        }

        await using var overtaken = await connection.BeginTransactionAsync(isolation, Stop);
        await SnapshotAsync(connection);
        await One.AppendAsync(Events.Thinking());
        var failed = await Assert.ThrowsAsync<PostgresException>(() => One.Log.AppendAsync(overtaken, [Events.Thinking()], Stop));

        Assert.Equal(PostgresErrorCodes.SerializationFailure, failed.SqlState);
    }

    [Fact]
    public async Task A_snapshot_from_before_a_failover_is_told_to_begin_again()
    {
        await One.AppendAsync(Events.Started());
        await using var connection = await OpenAsync();
        await using (var change = new NpgsqlCommand("update pipeline.log_generation set timeline = '0'", connection))
        {
            await change.ExecuteNonQueryAsync(Stop);
        }

        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, Stop);
        await SnapshotAsync(connection);

        var old = await Assert.ThrowsAsync<InvalidOperationException>(() => One.Log.AppendAsync(transaction, [Events.Thinking()], Stop));

        Assert.Contains("begin again", old.Message, StringComparison.Ordinal);
    }

    private static async Task SnapshotAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("select head from pipeline.stream_head", connection);
        await command.ExecuteScalarAsync(Stop);
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        return connection;
    }
}

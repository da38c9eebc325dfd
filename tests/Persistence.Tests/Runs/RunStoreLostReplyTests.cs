using Microsoft.EntityFrameworkCore;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>
/// Commits that came through though their reply did not: a backend that is terminated while it waits for a synchronous
/// standby has committed already. The setting is the whole server's, hence a private one.
/// </summary>
[Trait("needs", "servers")]
public sealed class RunStoreLostReplyTests() : StoreSuite("postgres")
{
    private PostgresServer? _server;

    protected override async Task<PostgresServer> ServerAsync() => _server = await PostgresServer.StartPrivateAsync();

    protected override async Task RemoveDatabaseAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task A_run_whose_commit_was_not_answered_is_created_once()
    {
        await CreateRunAsync();
        await using var administrator = new NpgsqlConnection(ConnectionString);
        await administrator.OpenAsync(Stop);
        await ExecuteAsync(administrator, "set synchronous_commit = local");
        await ExecuteAsync(administrator, "alter system set synchronous_standby_names = 'missing'");
        await ExecuteAsync(administrator, "select pg_reload_conf()");

        // The setting takes a moment: a run that is created before it waits for no standby.
        var others = 1;
        var creating = Task.Run(() => CreateRunAsync(), Stop);
        await Eventually.HoldsAsync("a commit that waited for the standby is cut off", async () =>
        {
            if (creating.IsCompleted)
            {
                others++;
                creating = Task.Run(() => CreateRunAsync(), Stop);
            }

            // Waits until it is gone: without the standby's setting it would still answer.
            return await ExecuteAsync(
                administrator, "select pg_terminate_backend(pid, 20000) from pg_stat_activity where wait_event = 'SyncRep'") is true;
        });
        await ExecuteAsync(administrator, "alter system reset synchronous_standby_names");
        await ExecuteAsync(administrator, "select pg_reload_conf()");
        var created = await creating;

        Assert.Equal(others + 1, await QueryAsync(context => context.Runs.CountAsync(Stop)));
        Assert.Equal([EventTypes.RunRequested], await TypesAsync(Alice, created.Run));
        Assert.Equal(others, created.Cursor.Position);
    }

    private static async Task<object?> ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Stop);
    }
}

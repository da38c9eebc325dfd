using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>The way from one schema to the next.</summary>
public sealed class MigrationTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void The_migrations_make_what_the_model_says()
    {
        using var postgres = new PostgresContextFactory().CreateDbContext([]);
        using var sqlite = new SqliteContextFactory().CreateDbContext([]);

        Assert.False(postgres.Database.HasPendingModelChanges());
        Assert.False(sqlite.Database.HasPendingModelChanges());
    }

    [Fact]
    public async Task A_SQLite_file_of_the_first_schema_is_upgraded_with_what_is_in_it()
    {
        var files = Directory.CreateTempSubdirectory("pipeline-migration-");
        await using (var process = new TestProcess("sqlite", $"Data Source={Path.Combine(files.FullName, "pipeline.db")}"))
        {
            await FillFirstSchemaAsync(process, "", "x'00'");
            await UpgradesAsync(process);
        }

        files.Delete(recursive: true);
    }

    [Fact]
    public async Task On_Postgres_a_migration_gives_up_its_place_in_the_queue_for_a_lock_and_comes_again()
    {
        await using var process = new TestProcess("postgres", await (await Servers.PostgresAsync()).CreateDatabaseAsync());
        await FillFirstSchemaAsync(process, "pipeline.", "'\\x00'");
        var reader = await process.Database.OpenAsync(Stop);
        await ExecuteAsync(reader, "begin; lock table pipeline.agent_run in access share mode");
        var migrating = UpgradesAsync(process);
        await Eventually.HoldsAsync("the migration waits for the reader", async () => await WaitersAsync(process) > 0);
        await Eventually.HoldsAsync("it waits no longer", async () => await WaitersAsync(process) == 0);
        Assert.False(migrating.IsCompleted);

        await ExecuteAsync(reader, "rollback");
        await reader.DisposeAsync();

        await migrating;
        await using var context = process.Database.CreateContext();
        Assert.Equal("0", await context.Database.SqlQueryRaw<string>("select current_setting('lock_timeout') as \"Value\"").SingleAsync(Stop));
    }

    private static async Task FillFirstSchemaAsync(TestProcess process, string schema, string hash)
    {
        await using var context = process.Database.CreateContext();
        var first = context.Database.GetMigrations().First();
        await context.GetService<IMigrator>().MigrateAsync(first, cancellationToken: Stop);
        await context.Database.OpenConnectionAsync(Stop);
        var connection = context.Database.GetDbConnection();
        await ExecuteAsync(connection, $$"""
            insert into {{schema}}stream_head (stream, incarnation, head, trimmed) values ('7:default:alice', 1, 1, 0);
            insert into {{schema}}event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
            values ('7:default:alice', 1, '0199d2a4-0000-7000-8000-000000000001', 'agent_started', 't-1', 'r-1', 1,
                    '2026-11-23 03:08:00', {{hash}}, '{"kept":true}');
            insert into {{schema}}agent_run (stream, run, thread, agent, status, attempt, lease_counter, last_sequence,
                    cancel_requested, input, requested_at)
            values ('7:default:alice', 'r-1', 't-1', 'demo', 1, 0, 1, 1, {{(schema.Length > 0 ? "false" : "0")}}, 'hello', '2026-11-23 03:08:00');
            """);
    }

    private static async Task UpgradesAsync(TestProcess process)
    {
        Assert.NotEmpty(await process.Get<LogAdmin>().MigrateAsync(Stop));

        Assert.Equal(SchemaState.Compatible, await process.Get<SchemaCheck>().ReadAsync(Stop));
        await process.AppendAsync(Events.Thinking());
        var page = await process.Reader.ReadAsync(StreamKey.Of("default", "alice"), 0, 10, int.MaxValue, Stop);
        Assert.Equal("""{"kept":true}""", page.Events[0].Text());
        Assert.Equal([1, 2], page.Events.Select(e => e.Position));
    }

    private static async Task ExecuteAsync(System.Data.Common.DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Stop);
    }

    private static async Task<int> WaitersAsync(TestProcess process)
    {
        await using var connection = (NpgsqlConnection)await process.Database.OpenAsync(Stop);
        await using var command = new NpgsqlCommand(
            "select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", connection);
        return (int)(await command.ExecuteScalarAsync(Stop))!;
    }
}

using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What operators do to the log, whatever the database.</summary>
public abstract class LogAdminCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task Erasure_deletes_everything_of_one_user_and_begins_a_new_incarnation()
    {
        var thought = Events.Thinking();
        await One.AppendAsync(thought);
        await One.AppendAsync(Events.Thinking().By("bob"));
        await CreateRunAsync();
        var generation = (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Generation;
        await One.Acks.WriteAsync([new ClientAck(Alice, "phone", new Cursor(Epoch.Of(generation, Alice, 1), 1))], Stop);
        Assert.NotNull(await One.Acks.ReadAsync(Alice, "phone", Stop));

        Assert.Equal(2, await One.Get<LogAdmin>().EraseAsync(Alice, Stop));

        var heads = await One.Reader.ReadHeadsAsync([Alice, Bob], Stop);
        Assert.Equal((2L, 0L), (heads[Alice].Incarnation, heads[Alice].Head));
        Assert.Equal((1L, 1L), (heads[Bob].Incarnation, heads[Bob].Head));
        Assert.Null(await One.Acks.ReadAsync(Alice, "phone", Stop));
        Assert.Equal([Bob.Value], await QueryAsync(context => context.Runs.Select(row => row.Stream).ToListAsync(Stop)));
        var again = Assert.Single((await One.AppendAsync(thought)).Events);
        Assert.Equal((1L, 2L, false), (again.Position, again.Incarnation, again.Duplicate));
    }

    [Fact]
    public async Task A_new_epoch_raises_the_generation_each_time()
    {
        var before = (await One.AppendAsync(Events.Thinking())).Generation;
        var first = await One.Get<LogAdmin>().BeginEpochAsync(Stop);
        var second = await One.Get<LogAdmin>().BeginEpochAsync(Stop);

        Assert.True(before < first && first < second);
        Assert.Equal(second, (await One.AppendAsync(Events.Thinking())).Generation);
    }

    [Fact]
    public async Task The_schema_is_compatible_until_a_newer_build_breaks_it()
    {
        Assert.Equal(SchemaState.Compatible, await One.Get<SchemaCheck>().ReadAsync(Stop));
        await AddMigrationAsync("29990101000000_Addition");
        Assert.Equal(SchemaState.Compatible, await One.Get<SchemaCheck>().ReadAsync(Stop));
        await AddMigrationAsync("29990102000000_RenameBreaking");
        Assert.Equal(SchemaState.Incompatible, await One.Get<SchemaCheck>().ReadAsync(Stop));
    }

    [Fact]
    public async Task A_missing_or_older_schema_is_absent_and_migrating_again_changes_nothing()
    {
        Assert.Equal(SchemaState.Absent, SchemaCheck.Compare(["1_A", "2_B"], []));
        Assert.Equal(SchemaState.Absent, SchemaCheck.Compare(["1_A", "2_B"], ["1_A"]));
        Assert.Empty(await One.Get<LogAdmin>().MigrateAsync(Stop));
    }

    [Fact]
    public async Task The_command_line_knows_its_commands_and_leaves_others_to_the_host()
    {
        var services = One.Get<IServiceProvider>();

        Assert.Equal(0, await AdminCommands.RunAsync(["migrate"], services));
        Assert.Equal(0, await AdminCommands.RunAsync(["admin", "new-epoch"], services));
        Assert.Equal(0, await AdminCommands.RunAsync(["admin", "erase", "default", "alice"], services));
        Assert.Equal(1, await AdminCommands.RunAsync(["admin", "erase", "default", ""], services));
        Assert.Equal(0, await AdminCommands.RunAsync(["admin", "undelivered"], services));
        Assert.Equal(0, await AdminCommands.RunAsync(["admin", "undelivered", "default", "alice"], services));
        Assert.Equal(2, await AdminCommands.RunAsync(["admin", "explode"], services));
        Assert.Null(await AdminCommands.RunAsync(["--urls=http://127.0.0.1:1"], services));
    }

    private Task AddMigrationAsync(string id) => QueryAsync(context => context.Database.ExecuteSqlRawAsync(
        context.Database.IsNpgsql()
            ? "insert into pipeline.__pipeline_migrations values ({0}, '0')"
            : "insert into __pipeline_migrations values ({0}, '0')",
        [id],
        Stop));
}

public sealed class LogAdminOnSqlite() : LogAdminCompliance("sqlite");

public sealed class LogAdminOnPostgres() : LogAdminCompliance("postgres")
{
    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=nobody")]
    [InlineData("Host=nowhere.invalid;Username=nobody")]
    public async Task A_command_without_its_database_says_so_and_fails(string connectionString)
    {
        await using var lost = new TestProcess("postgres", connectionString);
        var services = lost.Get<IServiceProvider>();

        Assert.Equal(1, await AdminCommands.RunAsync(["migrate"], services));
        Assert.Equal(1, await AdminCommands.RunAsync(["admin", "new-epoch"], services));
        Assert.Equal(1, await AdminCommands.RunAsync(["admin", "erase", "default", "alice"], services));
    }

    [Fact]
    public async Task Without_its_database_everything_throws_what_it_says_it_throws()
    {
        await using var lost = new TestProcess("postgres", "Host=127.0.0.1;Port=1;Username=nobody");

        await Assert.ThrowsAnyAsync<DbException>(() => lost.Get<LogAdmin>().BeginEpochAsync(Stop));
        await Assert.ThrowsAnyAsync<DbException>(() => lost.Acks.ReadAsync(Alice, "phone", Stop));
        await Assert.ThrowsAnyAsync<DbException>(() => lost.Runs.GetAsync(Alice, "r-1", Stop));
        await Assert.ThrowsAnyAsync<DbException>(() => lost.Reader.ReadAsync(Alice, 0, 10, 1000, Stop));
        await Assert.ThrowsAnyAsync<DbException>(() => lost.AppendAsync(Events.Thinking()));
    }
}

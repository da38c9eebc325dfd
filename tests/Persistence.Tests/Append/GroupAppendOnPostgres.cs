using Npgsql;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server: heads locked by others, failures of a whole group, lost commits.</summary>
public sealed class GroupAppendOnPostgres() : GroupAppendCompliance("postgres")
{
    [Fact]
    public async Task A_head_that_someone_holds_delays_nobody_else()
    {
        await AppendAsync(Events.Thinking());
        await AppendAsync(Events.Thinking().By("bob"));

        // Another process's, so that only the database knows.
        await using var stuck = await Two.Database.LockStreamAsync(Alice, Stop);
        var waiting = Enumerable.Range(0, 40).Select(i => AppendAsync(Events.Thinking(run: $"run-{i}"))).ToList();
        for (var i = 0; i < 20; i++)
        {
            await AppendAsync(Events.Thinking(run: $"run-{i}").By("bob"));
            await AppendAsync(Events.Thinking(run: $"run-{i}").By($"newcomer-{i}"));
        }

        Assert.DoesNotContain(waiting, unit => unit.IsCompleted);
        await stuck.DisposeAsync();
        Assert.Equal(40, (await Task.WhenAll(waiting)).Select(result => result.Events[0].Position).Distinct().Count());
    }

    [Fact]
    public async Task A_group_that_fails_as_a_whole_is_done_unit_by_unit()
    {
        await AppendAsync(Events.Thinking());
        foreach (var user in new[] { "bob", "carol", "dave", "eve" })
        {
            await AppendAsync(Events.Thinking().By(user));
        }

        await using (await ExecuteAsync("""
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
            create trigger refuse before insert on pipeline.event_log for each row when (new.run = 'refused') execute function refuse();
            """))
        {
            // From now on the database refuses one unit, and with it every group that it is in.
        }

        await using var block = await ExecuteAsync("begin; lock table pipeline.event_log in access exclusive mode");

        // Both writers are held up, so that the next units share a group.
        var writers = new[] { AppendAsync(Events.Thinking(run: "w-1")), AppendAsync(Events.Thinking(run: "w-2").By("bob")) };
        var refused = AppendAsync(Events.Thinking(run: "refused").By("carol"));
        var others = new[] { AppendAsync(Events.Thinking(run: "one").By("dave")), AppendAsync(Events.Thinking(run: "two").By("eve")) };
        await block.DisposeAsync();

        await Task.WhenAll(writers);
        Assert.All(await Task.WhenAll(others), result => Assert.Equal(2, result.Events[0].Position));
        Assert.Equal("refused", (await Assert.ThrowsAsync<PostgresException>(() => refused)).MessageText);
    }

    [Fact]
    public async Task A_groups_commit_that_breaks_is_settled_by_its_ids()
    {
        await AppendAsync(Events.Thinking());
        await using var proxy = new CommitCutter(ConnectionString);
        var process = StartProcess(("Persistence:ConnectionString", proxy.ConnectionString));

        var result = await AppendAsync(process, Events.Started("run"), Events.Completed("run"));

        Assert.Equal(1, proxy.Cuts);
        Assert.Equal([2, 3], result.Events.Select(e => e.Position));
        Assert.Equal(3, (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Head);
    }

    [Fact]
    public async Task Groups_keep_to_two_connections_however_many_the_process_has_open()
    {
        await AppendAsync(Events.Thinking());
        var busiest = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => One.Database.OpenAsync(Stop)));
        foreach (var connection in busiest)
        {
            await connection.DisposeAsync();
        }

        await using var watch = await ExecuteAsync("create temp table since as select clock_timestamp() as moment");
        for (var i = 0; i < 20; i++)
        {
            await AppendAsync(Events.Thinking(run: $"run-{i}"));
        }

        await using var count = new NpgsqlCommand(
            """
            select count(*) from pg_stat_activity, since
            where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid() and state_change > moment
            """,
            watch);
        Assert.InRange((long)(await count.ExecuteScalarAsync(Stop))!, 1, 2);
    }

    private async Task<NpgsqlConnection> ExecuteAsync(string sql)
    {
        var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Stop);
        return connection;
    }
}

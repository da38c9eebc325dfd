using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server with many writers.</summary>
public sealed class AppendOnPostgres() : AppendCompliance("postgres")
{
    [Fact]
    public async Task A_retry_that_waited_for_the_lock_sees_what_the_first_try_committed()
    {
        // Two processes, so that nothing but the database orders them. The retry looks the id up in a statement of its own,
        // behind the one that waits: were it one statement, its snapshot would be from before the wait.
        await AppendAsync(Events.Started());
        var thought = Two.Encoder.Encode(Events.Thinking());
        await using var first = await One.Database.LockStreamAsync(Alice, Stop);
        var retry = Two.Log.AppendAsync([thought], Stop);
        await Eventually.HoldsAsync("the retry waits for the head lock", async () => await WaitersAsync() == 1);

        var stored = await first.AppendAsync([thought], Stop);
        await first.CommitAsync(Stop);

        Assert.Equal(stored.Events[0] with { Duplicate = true }, Assert.Single((await retry).Events));
        Assert.Equal([1, 2], (await ReadAsync()).Select(e => e.Position));
    }

    [Fact]
    public async Task A_retry_that_waited_for_a_head_that_did_not_exist_stores_after_the_rollback()
    {
        var thought = Two.Encoder.Encode(Events.Thinking());
        Task<AppendResult> retry;
        await using (var first = await One.Database.LockStreamAsync(Alice, Stop))
        {
            await first.AppendAsync([thought], Stop);
            retry = Two.Log.AppendAsync([thought], Stop);
            await Eventually.HoldsAsync("the retry waits for the new head", async () => await WaitersAsync() == 1);
        }

        Assert.False(Assert.Single((await retry).Events).Duplicate);
        Assert.Equal(1, Assert.Single(await ReadAsync()).Position);
    }

    [Fact]
    public async Task Concurrent_appends_keep_positions_contiguous_and_in_commit_order()
    {
        const int Writers = 8;
        const int Each = 25;
        using var done = new CancellationTokenSource();
        var observed = ObserveAsync(done.Token);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            var process = writer % 2 == 0 ? One : Two;
            for (var i = 0; i < Each; i++)
            {
                // Two streams, named in both orders: sorted locking must keep them from deadlock.
                AgentEvent[] events = [Events.Thinking(run: $"r-{writer}"), Events.Thinking(run: $"r-{writer}").By("bob")];
                var order = (writer + i) % 2 == 0 ? events : [.. events.Reverse()];
                await process.Log.AppendAsync([.. order.Select(process.Encoder.Encode)], Stop);
            }
        }));
        await done.CancelAsync();

        Assert.Equal(0, await observed);
        Assert.Equal(Enumerable.Range(1, Writers * Each).Select(i => (long)i), (await ReadAsync()).Select(e => e.Position));
        Assert.Equal(0, await DeadlocksAsync());
    }

    [Fact]
    public async Task A_statement_that_runs_for_too_long_is_a_timeout()
    {
        var hasty = StartProcess(("Persistence:CommandTimeout", "00:00:01"), ("Persistence:LockTimeout", "00:00:00.5"));
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(
            """
            create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(30); return new; end $$;
            create trigger dawdle before insert on pipeline.event_log for each row execute function dawdle();
            """,
            Stop));

        var late = await Assert.ThrowsAsync<TimeoutException>(() => hasty.AppendAsync(Events.Thinking()));

        Assert.Contains("Persistence:CommandTimeout", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Erasures_and_new_epochs_in_between_lose_no_append_and_leave_no_gap()
    {
        var admin = Two.Get<LogAdmin>();
        using var done = new CancellationTokenSource();
        var appending = Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!done.IsCancellationRequested)
            {
                await One.AppendAsync(Events.Thinking());
            }
        }));
        for (var i = 0; i < 10; i++)
        {
            await admin.BeginEpochAsync(Stop);
            await admin.EraseAsync(Alice, Stop);
        }

        await done.CancelAsync();
        await appending;
        var page = await One.Reader.ReadAsync(Alice, 0, 1000, int.MaxValue, Stop);
        Assert.Equal((11L, (long)page.Events.Count), (page.Head.Incarnation, page.Head.Head));
        Assert.Equal(Enumerable.Range(1, page.Events.Count).Select(i => (long)i), page.Events.Select(e => e.Position));
    }

    [Fact]
    public async Task A_head_that_stays_locked_times_out_and_says_so()
    {
        var hasty = StartProcess(("Persistence:LockTimeout", "00:00:00.2"));
        await One.AppendAsync(Events.Thinking());
        await using var locked = await One.Database.LockStreamAsync(Alice, Stop);

        var elsewhere = await Assert.ThrowsAsync<TimeoutException>(() => hasty.AppendAsync(Events.Thinking()));
        Assert.Contains("Persistence:LockTimeout", elsewhere.Message, StringComparison.Ordinal);

        await using var own = await hasty.Database.LockStreamAsync(Bob, Stop);
        var inProcess = await Assert.ThrowsAsync<TimeoutException>(() => hasty.AppendAsync(Events.Thinking().By("bob")));
        Assert.Contains("Stream '7:default:bob'", inProcess.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("update pipeline.log_generation set system_id = '1'")]
    [InlineData("update pipeline.log_generation set timeline = '00000000'")]
    public async Task Another_system_id_or_timeline_raises_the_generation_before_anything_is_stored(string change)
    {
        var before = await AppendAsync(Events.Started());
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(change, Stop));

        var after = await AppendAsync(Events.Thinking());

        Assert.True(after.Generation > before.Generation);
        Assert.Equal(2, after.Events[0].Position);
        Assert.Equal(after.Generation, (await AppendAsync(Events.Thinking())).Generation);
        Assert.Equal(3, (await ReadAsync()).Count);
    }

    [Fact]
    public async Task An_owners_transaction_gets_its_own_timeouts_back_and_the_raised_generation()
    {
        var before = await AppendAsync(Events.Started());
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync("update pipeline.log_generation set timeline = '0'", Stop));
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await ScalarAsync(connection, "select set_config('lock_timeout', '7s', true)");

        var after = await One.Log.AppendAsync(transaction, [Events.Thinking()], Stop);

        Assert.True(after.Generation > before.Generation);
        Assert.Equal("7s", await ScalarAsync(connection, "show lock_timeout"));
        Assert.Equal("0", await ScalarAsync(connection, "show statement_timeout"));
    }

    [Theory]
    [InlineData("text[]", "'{}'", PostgresAppendSql.Lock)]
    [InlineData("text[]", "'{}'", PostgresAppendSql.LockFree)]
    [InlineData("text[], uuid[]", "'{}','{}'", PostgresAppendSql.FindEvents)]
    [InlineData("text[], text[]", "'{}','{}'", PostgresAppendSql.FindRuns)]
    public async Task Lookups_go_by_index_in_a_plan_made_while_the_tables_were_empty(string types, string values, string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        await ScalarAsync(connection, "set plan_cache_mode = force_generic_plan");
        await ScalarAsync(connection, $"prepare lookup ({types}) as {sql}");

        await using var command = new NpgsqlCommand($"explain execute lookup ({values})", connection);
        var plan = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(Stop);
        while (await reader.ReadAsync(Stop))
        {
            plan.Add(reader.GetString(0));
        }

        Assert.DoesNotContain(plan, line => line.Contains("Seq Scan", StringComparison.Ordinal));
    }

    private static async Task<string?> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (string?)await command.ExecuteScalarAsync(Stop);
    }

    /// <summary>Of this test's database. A backend reports when it ends.</summary>
    private async Task<long> DeadlocksAsync()
    {
        await One.DisposeAsync();
        await Two.DisposeAsync();
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        await Eventually.HoldsAsync("the processes' sessions ended", async () => await ScalarAsync(
            connection, "select count(*)::text from pg_stat_activity where datname = current_database()") == "1");
        return long.Parse((await ScalarAsync(
            connection, "select deadlocks::text from pg_stat_database where datname = current_database()"))!, CultureInfo.InvariantCulture);
    }

    private async Task<int> WaitersAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand(
            "select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", connection);
        return (int)(await command.ExecuteScalarAsync(Stop))!;
    }

    /// <summary>How often a reader that knew position n could not read 1 … n, or saw n shrink.</summary>
    private async Task<int> ObserveAsync(CancellationToken until)
    {
        var (violations, last) = (0, 0L);
        while (!until.IsCancellationRequested)
        {
            var page = await One.Reader.ReadAsync(Alice, 0, 1000, int.MaxValue, Stop);
            var isContiguous = page.Events.Select((e, index) => e.Position == index + 1).All(fits => fits);
            violations += isContiguous && page.Head.Head == page.Events.Count && page.Head.Head >= last ? 0 : 1;
            last = page.Head.Head;
        }

        return violations;
    }
}

using System.Data.Common;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>Locks, timeouts and repeated tries of a commit, with and without an execution strategy that retries.</summary>
public sealed class CommitBoundsOnPostgres() : ShopSuite("postgres")
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_head_that_stays_locked_is_a_timeout_and_nothing_is_saved(bool retries)
    {
        var hasty = StartProcess(("Persistence:LockTimeout", "00:00:00.2"));
        await One.AppendAsync(Events.Thinking());
        await using var locked = await One.Database.LockStreamAsync(Alice, Stop);
        await using var shop = await OpenShopAsync(retries);
        shop.Orders.Add(new Order { Name = "tea" });

        var timeout = await Assert.ThrowsAsync<TimeoutException>(() => hasty.Log.CommitAsync(shop, [Events.Thinking()], Stop));

        Assert.Contains("Persistence:LockTimeout", timeout.Message, StringComparison.Ordinal);
        Assert.Empty(await OrdersAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_fails_every_time_is_tried_five_times_and_thrown_as_it_is(bool retries)
    {
        var victim = new DeadlockVictim();
        await using var shop = await OpenShopAsync(retries, options => options.AddInterceptors(victim));
        shop.Orders.Add(new Order { Name = "tea" });
        victim.IsArmed = true;

        var failed = await Assert.ThrowsAsync<DbUpdateException>(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));

        Assert.IsType<PostgresException>(failed.InnerException);
        Assert.Equal(5, victim.Tries);
        Assert.Equal(EntityState.Added, shop.Entry(shop.Orders.Local.Single()).State);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_deadlock_with_an_application_is_tried_again_with_the_same_ids(bool retries)
    {
        await One.AppendAsync(Events.Thinking());
        await using (await LockTeaAsync())
        {
            // The order is there, and nobody holds it any more.
        }

        await using var other = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await other.OpenAsync(Stop);
        await ExecuteAsync(other, $"set deadlock_timeout = '60s'; begin; select 1 from pipeline.stream_head where stream = '{Alice.Value}' for update");
        Task asking = Task.CompletedTask;
        var saved = new AfterFirstSave(async () =>
        {
            asking = ExecuteAsync(other, "update orders set \"Name\" = 'milk'");
            await Eventually.HoldsAsync("the other has the head and waits for the order", async () => await WaitersAsync() == 1);
        });
        await using var shop = await OpenShopAsync(
            retries, options => options.AddInterceptors(saved), more: ";Options=-c deadlock_timeout=100");
        (await shop.Orders.SingleAsync(Stop)).Name = "coffee";
        var thought = Events.Thinking();

        var commit = One.Log.CommitAsync(shop, [thought], Stop);
        await Eventually.HoldsAsync("the application gave way", () => saved.WasCalled && asking.IsCompleted);
        await asking;
        Assert.False(commit.IsCompleted);
        await ExecuteAsync(other, "commit");

        Assert.Equal((thought.Id, 2L), (await commit).Events.Select(e => (e.Id, e.Position)).Single());
        Assert.Equal(["coffee"], await OrdersAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lock_of_the_applications_own_is_not_called_a_streams_head(bool retries)
    {
        await using var other = await LockTeaAsync();
        await using var shop = await OpenShopAsync(retries, more: ";Options=-c lock_timeout=100");
        (await shop.Orders.SingleAsync(Stop)).Name = "coffee";

        var failed = await Assert.ThrowsAsync<DbUpdateException>(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));

        Assert.Equal("55P03", Assert.IsType<PostgresException>(failed.InnerException).SqlState);
        Assert.Equal(0, await HeadAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_a_command_timeout_of_its_own_the_application_gets_the_logs(bool retries)
    {
        var hasty = StartProcess(("Persistence:LockTimeout", "00:00:00.5"), ("Persistence:CommandTimeout", "00:00:01"));
        await using var other = await LockTeaAsync();
        await using var shop = await OpenShopAsync(retries, more: ";Command Timeout=0");
        (await shop.Orders.SingleAsync(Stop)).Name = "coffee";
        var clock = Stopwatch.StartNew();

        var failed = await Assert.ThrowsAsync<DbUpdateException>(() => hasty.Log.CommitAsync(shop, [Events.Thinking()], Stop));

        Assert.IsType<TimeoutException>(failed.InnerException!.InnerException);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8));
        Assert.Null(shop.Database.GetCommandTimeout());
    }

    [Fact]
    public async Task Heads_are_locked_last_so_that_slow_changes_keep_nobody_waiting()
    {
        await using var other = await LockTeaAsync();
        await using var shop = await OpenShopAsync();
        (await shop.Orders.SingleAsync(Stop)).Name = "coffee";
        var commit = One.Log.CommitAsync(shop, [Events.Thinking()], Stop);
        await Eventually.HoldsAsync("the change waits for its row", async () => await WaitersAsync() == 1);

        Assert.Equal(1, (await Two.AppendAsync(Events.Thinking(run: "r-2"))).Events[0].Position);
        await other.DisposeAsync();

        Assert.Equal(2, (await commit).Events[0].Position);
    }

    protected override void Use(DbContextOptionsBuilder<Shop> options, string connectionString) =>
        options.UseNpgsql(connectionString + ";Pooling=false");

    protected override async Task<string> OtherDatabaseAsync() => await (await ServerAsync()).CreateDatabaseAsync();

    private Task<Shop> OpenShopAsync(bool retries, Action<DbContextOptionsBuilder<Shop>>? with = null, string more = "") => OpenShopAsync(options =>
    {
        options.UseNpgsql(ConnectionString + ";Pooling=false" + more, npgsql =>
        {
            if (retries)
            {
                npgsql.EnableRetryOnFailure(maxRetryCount: 1);
            }
        });
        with?.Invoke(options);
    });

    /// <summary>An order that another transaction holds until it is disposed.</summary>
    private async Task<DbConnection> LockTeaAsync()
    {
        await using (var shop = await OpenShopAsync())
        {
            shop.Orders.Add(new Order { Name = "tea" });
            await shop.SaveChangesAsync(Stop);
        }

        var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand("begin; select 1 from orders for update", connection);
        await command.ExecuteNonQueryAsync(Stop);
        return connection;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Stop);
    }

    private Task<int> WaitersAsync() => QueryAsync(context => context.Database.SqlQueryRaw<int>(
        "select count(*)::int as \"Value\" from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").SingleAsync(Stop));

    /// <summary>Does something between the first changes of this application and the append.</summary>
    private sealed class AfterFirstSave(Func<Task> then) : SaveChangesInterceptor
    {
        public bool WasCalled { get; private set; }

        public override async ValueTask<int> SavedChangesAsync(
            SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            if (!WasCalled)
            {
                await then();
                WasCalled = true;
            }

            return result;
        }
    }

    /// <summary>Every change of this application is the victim of a deadlock.</summary>
    private sealed class DeadlockVictim : DbCommandInterceptor
    {
        public bool IsArmed { get; set; }

        public int Tries { get; private set; }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            Fail();
            return new ValueTask<InterceptionResult<DbDataReader>>(result);
        }

        private void Fail()
        {
            if (IsArmed)
            {
                Tries++;
                throw new PostgresException("deadlock detected", "ERROR", "ERROR", PostgresErrorCodes.DeadlockDetected);
            }
        }
    }
}

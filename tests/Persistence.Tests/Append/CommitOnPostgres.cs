using System.Data.Common;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server whose connections break at COMMIT.</summary>
public sealed class CommitOnPostgres() : CommitCompliance("postgres")
{
    [Fact]
    public async Task A_commit_whose_reply_was_lost_is_found_and_not_saved_twice()
    {
        var breaker = new CommitBreaker(isCommitted: true);
        await using var shop = await OpenShopAsync(options => options.AddInterceptors(breaker));
        var order = new Order { Name = "tea" };
        shop.Orders.Add(order);

        var result = await One.Log.CommitAsync(shop, [Events.Started(), Events.Thinking()], Stop);

        Assert.Equal(1, breaker.Commits);
        Assert.Equal([(1L, false), (2L, false)], result.Events.Select(e => (e.Position, e.Duplicate)));
        Assert.Equal(EntityState.Unchanged, shop.Entry(order).State);
        Assert.Equal(["tea"], await OrdersAsync());
        Assert.True(One.Handover.TryTake(out var batch) && batch.Ranges[0].Events.Count == 2);
    }

    [Fact]
    public async Task A_commit_that_never_arrived_is_repeated_with_the_same_ids()
    {
        var breaker = new CommitBreaker(isCommitted: false);
        await using var shop = await OpenShopAsync(options => options.AddInterceptors(breaker));
        shop.Orders.Add(new Order { Name = "tea" });
        var thought = Events.Thinking();

        var result = await One.Log.CommitAsync(shop, [thought], Stop);

        Assert.Equal(2, breaker.Commits);
        Assert.Equal((thought.Id, 1L), (result.Events[0].Id, result.Events[0].Position));
        Assert.Equal(["tea"], await OrdersAsync());
        Assert.Equal(1, await HeadAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_retrying_execution_strategy_changes_nothing_of_that(bool isCommitted)
    {
        var breaker = new CommitBreaker(isCommitted);
        await using var shop = await OpenShopAsync(options => options
            .AddInterceptors(breaker)
            .UseNpgsql(ConnectionString + ";Pooling=false", npgsql => npgsql.EnableRetryOnFailure()));
        shop.Orders.Add(new Order { Name = "tea" });

        await One.Log.CommitAsync(shop, [Events.Thinking()], Stop);

        Assert.Equal(["tea"], await OrdersAsync());
        Assert.Equal(1, await HeadAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_of_repeated_events_alone_is_settled_as_well(bool isCommitted)
    {
        var thought = Events.Thinking() with { Time = DateTimeOffset.UnixEpoch };
        await One.AppendAsync(thought);
        await using var shop = await OpenShopAsync(options => options.AddInterceptors(new CommitBreaker(isCommitted)));
        shop.Orders.Add(new Order { Name = "tea" });

        var result = await One.Log.CommitAsync(shop, [thought], Stop);

        Assert.True(result.Events.Single().Duplicate);
        Assert.Equal(["tea"], await OrdersAsync());
        Assert.Equal(1, await HeadAsync());
    }

    [Fact]
    public async Task A_commit_that_never_arrived_is_not_taken_for_another_callers_of_the_same_id()
    {
        var thought = Events.Thinking() with { Time = DateTimeOffset.UnixEpoch };
        var breaker = new CommitBreaker(isCommitted: false, afterwards: () => Two.AppendAsync(thought));
        await using var shop = await OpenShopAsync(options => options.AddInterceptors(breaker));
        shop.Orders.Add(new Order { Name = "tea" });

        var result = await One.Log.CommitAsync(shop, [thought], Stop);

        Assert.Equal([(1L, true)], result.Events.Select(e => (e.Position, e.Duplicate)));
        Assert.Equal(["tea"], await OrdersAsync());
    }

    [Fact]
    public async Task After_a_failover_with_repeated_events_alone_an_unknown_outcome_stays_unknown()
    {
        var thought = Events.Thinking() with { Time = DateTimeOffset.UnixEpoch };
        await One.AppendAsync(thought);
        var breaker = new CommitBreaker(
            isCommitted: true,
            afterwards: () => QueryAsync(context => context.Database.ExecuteSqlRawAsync("update pipeline.log_generation set timeline = '0'", Stop)));
        await using var shop = await OpenShopAsync(options => options.AddInterceptors(breaker));
        shop.Orders.Add(new Order { Name = "tea" });

        await Assert.ThrowsAsync<CommitOutcomeUnknownException>(() => One.Log.CommitAsync(shop, [thought], Stop));
    }

    [Fact]
    public async Task A_context_enlisted_in_a_transaction_is_refused()
    {
        await using var shop = await OpenShopAsync();
        using var enlisted = new CommittableTransaction();
        await shop.Database.OpenConnectionAsync(Stop);
        shop.Database.EnlistTransaction(enlisted);

        await Assert.ThrowsAsync<InvalidOperationException>(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));
    }

    [Fact]
    public async Task An_appends_own_commit_that_breaks_is_settled_by_its_ids()
    {
        // The reply to the first COMMIT of this process is cut off on its way, or the server dies before it.
        await using var proxy = new CommitCutter(ConnectionString);
        var process = StartProcess(("Persistence:ConnectionString", proxy.ConnectionString));

        var result = await process.Log.AppendAsync([process.Encoder.Encode(Events.Started()), process.Encoder.Encode(Events.Thinking())], Stop);

        Assert.Equal(1, proxy.Cuts);
        Assert.Equal([(1L, false), (2L, false)], result.Events.Select(e => (e.Position, e.Duplicate)));
        Assert.Equal(2, await HeadAsync());
        Assert.True(process.Handover.TryTake(out var batch) && batch.Ranges[0].Events.Count == 2);
    }

    // Without a pool: the driver is not told that the breaker killed its connection, and would hand it out again.
    protected override void Use(DbContextOptionsBuilder<Shop> options, string connectionString) =>
        options.UseNpgsql(connectionString + ";Pooling=false");

    protected override async Task<string> OtherDatabaseAsync() => await (await ServerAsync()).CreateDatabaseAsync();

    /// <summary>Breaks the first COMMIT: before the server has it, or after it did.</summary>
    private sealed class CommitBreaker(bool isCommitted, Func<Task>? afterwards = null) : DbTransactionInterceptor
    {
        public int Commits { get; private set; }

        public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            if (++Commits > 1)
            {
                return result;
            }

            var connection = (NpgsqlConnection)transaction.Connection!;
            if (isCommitted)
            {
                await transaction.CommitAsync(cancellationToken);
            }

            await using var killer = new NpgsqlConnection(eventData.Context!.Database.GetConnectionString());
            await killer.OpenAsync(cancellationToken);
            await using var kill = new NpgsqlCommand($"select pg_terminate_backend({connection.ProcessID}, 5000)", killer);
            await kill.ExecuteScalarAsync(cancellationToken);
            await (afterwards?.Invoke() ?? Task.CompletedTask);
            return isCommitted ? throw new NpgsqlException("the reply was lost", new IOException("connection reset")) : result;
        }
    }
}

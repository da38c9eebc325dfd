using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace Pipeline.Persistence.Tests;

/// <summary>Events and an application's own rows, in one transaction of the application's context.</summary>
public abstract class CommitCompliance(string provider) : ShopSuite(provider)
{
    [Fact]
    public async Task Changes_and_events_are_committed_as_one()
    {
        await using var shop = await OpenShopAsync();
        var order = new Order { Name = "tea" };
        shop.Orders.Add(order);

        var result = await One.Log.CommitAsync(shop, [Events.Started(), Events.Thinking()], Stop);

        Assert.Equal([1, 2], result.Events.Select(e => e.Position));
        Assert.Equal(EntityState.Unchanged, shop.Entry(order).State);
        Assert.Equal(["tea"], await OrdersAsync());
        Assert.True(One.Handover.TryTake(out _));
    }

    [Fact]
    public async Task A_refused_event_saves_nothing_and_the_context_can_be_committed_again()
    {
        await using var shop = await OpenShopAsync();
        shop.Orders.Add(new Order { Name = "tea" });

        await Assert.ThrowsAsync<AppendRejectedException>(() => One.Log.CommitAsync(shop, [Events.Thinking() with { Sequence = 5 }], Stop));
        Assert.Empty(await OrdersAsync());

        await One.Log.CommitAsync(shop, [Events.Thinking()], Stop);
        Assert.Equal(["tea"], await OrdersAsync());
    }

    [Fact]
    public async Task Changes_that_can_not_be_saved_leave_no_event_and_no_hole()
    {
        await using (var shop = await OpenShopAsync())
        {
            shop.Orders.Add(new Order { Name = null! });
            await Assert.ThrowsAnyAsync<DbUpdateException>(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));
        }

        await using var good = await OpenShopAsync();
        Assert.Equal(1, Assert.Single((await One.Log.CommitAsync(good, [Events.Thinking()], Stop)).Events).Position);
    }

    [Fact]
    public async Task Without_events_the_changes_are_saved_alone()
    {
        await using var shop = await OpenShopAsync();
        shop.Orders.Add(new Order { Name = "tea" });

        Assert.Empty((await One.Log.CommitAsync(shop, [], Stop)).Events);
        Assert.Equal(["tea"], await OrdersAsync());
    }

    [Fact]
    public async Task Inside_an_owners_transaction_events_come_with_its_commit()
    {
        await using var shop = await OpenShopAsync();
        await using var transaction = await shop.Database.BeginTransactionAsync(Stop);
        shop.Orders.Add(new Order { Name = "tea" });
        await shop.SaveChangesAsync(Stop);
        await One.Log.AppendAsync(transaction.GetDbTransaction(), [Events.Thinking()], Stop);
        Assert.Equal(0, await HeadAsync());

        await transaction.CommitAsync(Stop);

        Assert.Equal(1, await HeadAsync());
        Assert.False(One.Handover.TryTake(out _));
        Assert.Null((await QueryAsync(context => context.Outbox.SingleAsync(Stop))).Owner);
    }

    [Fact]
    public async Task A_rollback_leaves_no_event_and_no_hole()
    {
        await using var shop = await OpenShopAsync();
        await using (var transaction = await shop.Database.BeginTransactionAsync(Stop))
        {
            await One.Log.AppendAsync(transaction.GetDbTransaction(), [Events.Thinking(), Events.Completed()], Stop);
            await transaction.RollbackAsync(Stop);
        }

        Assert.Equal(1, (await One.AppendAsync(Events.Thinking())).Events[0].Position);
        Assert.Equal(1, await HeadAsync());
    }

    [Fact]
    public async Task A_savepoint_undoes_an_append_and_leaves_no_hole()
    {
        await using var shop = await OpenShopAsync();
        await using var transaction = await shop.Database.BeginTransactionAsync(Stop);
        var raw = transaction.GetDbTransaction();
        await One.Log.AppendAsync(raw, [Events.Started()], Stop);
        await raw.SaveAsync("before", Stop);
        await One.Log.AppendAsync(raw, [Events.Thinking("undone"), Events.Completed()], Stop);
        await raw.RollbackAsync("before", Stop);

        var after = await One.Log.AppendAsync(raw, [Events.Thinking("kept")], Stop);
        await transaction.CommitAsync(Stop);

        Assert.Equal((2L, 2L), (after.Events[0].Position, after.Events[0].Sequence));
        var page = await One.Reader.ReadAsync(Alice, 0, 10, int.MaxValue, Stop);
        Assert.Equal(["agent_started", "agent_thinking"], page.Events.Select(e => e.Json().GetProperty("type").GetString()));
    }

    [Fact]
    public async Task An_application_in_another_database_is_refused()
    {
        await using var elsewhere = await OpenElsewhereAsync();
        elsewhere.Orders.Add(new Order { Name = "tea" });
        var commit = await Assert.ThrowsAsync<ArgumentException>(() => One.Log.CommitAsync(elsewhere, [Events.Thinking()], Stop));
        Assert.Contains("only in the same database", commit.Message, StringComparison.Ordinal);
        Assert.Empty(await elsewhere.Orders.AsNoTracking().ToListAsync(Stop));

        await using var transaction = await elsewhere.Database.BeginTransactionAsync(Stop);
        await Assert.ThrowsAsync<ArgumentException>(() => One.Log.AppendAsync(transaction.GetDbTransaction(), [Events.Thinking()], Stop));
    }

    [Fact]
    public async Task A_refused_append_leaves_the_owners_transaction_usable()
    {
        await using var shop = await OpenShopAsync();
        await using var transaction = await shop.Database.BeginTransactionAsync(Stop);
        var raw = transaction.GetDbTransaction();
        await Assert.ThrowsAsync<AppendRejectedException>(() => One.Log.AppendAsync(raw, [Events.Thinking() with { Sequence = 9 }], Stop));

        await One.Log.AppendAsync(raw, [Events.Thinking()], Stop);
        await transaction.CommitAsync(Stop);

        Assert.Equal(1, await HeadAsync());
    }

    [Fact]
    public async Task A_transaction_that_is_missing_or_over_or_ambient_or_already_there_is_refused()
    {
        await using var shop = await OpenShopAsync();
        await Assert.ThrowsAsync<ArgumentNullException>(() => One.Log.AppendAsync(null!, [Events.Thinking()], Stop));

        await using (var transaction = await shop.Database.BeginTransactionAsync(Stop))
        {
            var there = await Assert.ThrowsAsync<InvalidOperationException>(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));
            Assert.Contains("AppendAsync(transaction, events)", there.Message, StringComparison.Ordinal);
            var raw = transaction.GetDbTransaction();
            await transaction.CommitAsync(Stop);
            var over = await Assert.ThrowsAsync<InvalidOperationException>(() => One.Log.AppendAsync(raw, [Events.Thinking()], Stop));
            Assert.Contains("ended already", over.Message, StringComparison.Ordinal);
        }

        await using var owned = await shop.Database.BeginTransactionAsync(Stop);
        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await RefusesAmbientAsync(() => One.Log.CommitAsync(shop, [Events.Thinking()], Stop));
        await RefusesAmbientAsync(() => One.Log.AppendAsync([One.Encoder.Encode(Events.Thinking())], Stop));
        await RefusesAmbientAsync(() => One.Log.AppendAsync(owned.GetDbTransaction(), [Events.Thinking()], Stop));
    }

    private static async Task RefusesAmbientAsync(Func<Task> append) => Assert.Contains(
        "TransactionScope", (await Assert.ThrowsAsync<InvalidOperationException>(append)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task The_publisher_commits_what_was_published()
    {
        await using var shop = await OpenShopAsync();
        var log = new MemoryLog<AgentEventPublisher>();
        using (var publisher = new AgentEventPublisher(One.Log, log))
        {
            publisher.Publish(Events.Started());
            publisher.Publish(Events.Thinking());
            Assert.Equal(2, (await publisher.CommitAsync(shop, Stop)).Events.Count);
        }

        Assert.Empty(log.Entries);
    }

    [Fact]
    public void What_was_published_and_never_committed_is_logged_as_an_error()
    {
        var log = new MemoryLog<AgentEventPublisher>();
        using (var publisher = new AgentEventPublisher(One.Log, log))
        {
            publisher.Publish(Events.Started());
            publisher.Publish(Events.Thinking());
        }

        var (level, text) = Assert.Single(log.Entries);
        Assert.Equal(LogLevel.Error, level);
        Assert.StartsWith("2 published events were never committed and are lost: agent_started, agent_thinking", text, StringComparison.Ordinal);
    }
}

public sealed class CommitOnSqlite() : CommitCompliance("sqlite")
{
    protected override void Use(DbContextOptionsBuilder<Shop> options, string connectionString) => options.UseSqlite(connectionString);

    protected override Task<string> OtherDatabaseAsync() => Task.FromResult(ConnectionString.Replace("pipeline.db", "other.db", StringComparison.Ordinal));
}

/// <summary>Keeps what was logged.</summary>
public sealed class MemoryLog<T> : ILogger<T>
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<(LogLevel Level, string Text)> _entries = [];

    public IReadOnlyCollection<(LogLevel Level, string Text)> Entries => _entries;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        ArgumentNullException.ThrowIfNull(formatter);
        _entries.Enqueue((logLevel, formatter(state, exception)));
    }
}

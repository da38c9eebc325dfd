using Microsoft.EntityFrameworkCore;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Worker.Tests;

/// <summary>An agent's own rows and the run's events, in one transaction.</summary>
public abstract class AgentCommitTests(string provider) : WorkerSuite(provider)
{
    private static readonly ToolCompleted Booked = new() { ToolCallId = "c1", Tool = "shop", Succeeded = true };

    [Fact]
    public async Task Changes_and_events_are_there_together_and_the_run_goes_on()
    {
        await CreateTableAsync();
        await StartWorkerAsync(async (context, ct) =>
        {
            await context.MessageDeltaAsync("I or", ct);
            await context.MessageDeltaAsync("der", ct);
            await using var shop = OpenShop();
            shop.Orders.Add(new Order { Name = "tea" });
            await context.CommitAsync(shop, [new AgentThinking { Text = "done" }, Booked], ct);
            await context.MessageAsync("I ordered", ct);
        });

        var events = await EndsAsync(await AskAsync(), RunStatus.Completed);

        Assert.Equal(
            ["run_requested", "agent_started", "agent_message", "agent_message", "agent_thinking", "tool_completed", "agent_message", "agent_completed"],
            Types(events));
        Assert.Equal(["tea"], await OrdersAsync());
    }

    [Fact]
    public async Task Changes_that_cannot_be_saved_leave_no_event_and_the_run_goes_on()
    {
        await CreateTableAsync();
        await StartWorkerAsync(async (context, ct) =>
        {
            await using (var shop = OpenShop())
            {
                shop.Orders.Add(new Order { Name = "a name that is too long" });
                await Assert.ThrowsAnyAsync<DbUpdateException>(() => context.CommitAsync(shop, [Booked], ct));
            }

            await using var again = OpenShop();
            again.Orders.Add(new Order { Name = "tea" });
            await context.CommitAsync(again, [Booked], ct);
        });

        Assert.Equal(
            ["run_requested", "agent_started", "tool_completed", "agent_completed"], Types(await EndsAsync(await AskAsync(), RunStatus.Completed)));
        Assert.Equal(["tea"], await OrdersAsync());
    }

    [Fact]
    public async Task A_lost_run_saves_nothing()
    {
        await CreateTableAsync();
        var go = new TaskCompletionSource();
        Exception? refusal = null;
        var sleeper = NewWorker();
        sleeper.Script.Body = async (context, _) =>
        {
            await go.Task;
            await using var shop = OpenShop();
            shop.Orders.Add(new Order { Name = "tea" });
            refusal = await Record.ExceptionAsync(() => context.CommitAsync(shop, [Booked], CancellationToken.None));
        };
        var run = await AskAsync();
        await sleeper.NudgeAsync(run);
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        await EndsAsync(run, RunStatus.Failed);

        go.SetResult();
        await Testing.Eventually.HoldsAsync("it is refused", () => refusal is not null);
        Assert.IsType<RunLostException>(refusal);
        Assert.Empty(await OrdersAsync());
    }

    [Fact]
    public async Task Starts_endings_and_nothing_at_all_are_refused()
    {
        await CreateTableAsync();
        await StartWorkerAsync(async (context, ct) =>
        {
            await using var shop = OpenShop();
            await Assert.ThrowsAsync<ArgumentException>(() => context.CommitAsync(shop, [new AgentCompleted()], ct));
            await Assert.ThrowsAsync<ArgumentException>(() => context.CommitAsync(shop, [], ct));
        });
        await EndsAsync(await AskAsync(), RunStatus.Completed);
    }

    private Shop OpenShop()
    {
        var options = new DbContextOptionsBuilder<Shop>();
        return new Shop((IsSqlite ? options.UseSqlite(ConnectionString) : options.UseNpgsql(ConnectionString)).Options);
    }

    private async Task CreateTableAsync()
    {
        await using var shop = OpenShop();
        await shop.Database.ExecuteSqlRawAsync("create table orders (name varchar(100) not null primary key check (length(name) < 20))", Stop);
    }

    private async Task<List<string>> OrdersAsync()
    {
        await using var shop = OpenShop();
        return await shop.Orders.Select(order => order.Name).ToListAsync(Stop);
    }

    public sealed class Order
    {
        public required string Name { get; set; }
    }

    public sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
    {
        public DbSet<Order> Orders => Set<Order>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Order>(table =>
        {
            table.ToTable("orders").HasKey(order => order.Name);
            table.Property(order => order.Name).HasColumnName("name");
        });
    }
}

public sealed class SqliteAgentCommitTests() : AgentCommitTests("sqlite");

public sealed class PostgresAgentCommitTests() : AgentCommitTests("postgres");

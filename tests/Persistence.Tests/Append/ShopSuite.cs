using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence.Tests;

/// <summary>An application with its own context on the pipeline's database.</summary>
public abstract class ShopSuite(string provider) : StoreSuite(provider)
{
    protected abstract void Use(DbContextOptionsBuilder<Shop> options, string connectionString);

    protected abstract Task<string> OtherDatabaseAsync();

    protected async Task<Shop> OpenElsewhereAsync()
    {
        var other = await OtherDatabaseAsync();
        return await OpenShopAsync(options => Use(options, other));
    }

    protected async Task<Shop> OpenShopAsync(Action<DbContextOptionsBuilder<Shop>>? more = null)
    {
        var options = new DbContextOptionsBuilder<Shop>();
        Use(options, ConnectionString);
        more?.Invoke(options);
        var shop = new Shop(options.Options);
        await shop.Database.ExecuteSqlRawAsync("create table if not exists orders (\"Id\" integer primary key, \"Name\" text not null)", Stop);
        return shop;
    }

    protected async Task<List<string>> OrdersAsync()
    {
        await using var shop = await OpenShopAsync();
        return await shop.Orders.Select(order => order.Name).ToListAsync(Stop);
    }

    protected async Task<long> HeadAsync() => (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Head;
}

/// <summary>An application's own table.</summary>
public sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    private static int _ids;

    public DbSet<Order> Orders => Set<Order>();

    public static int NextId() => Interlocked.Increment(ref _ids);

    protected override void OnModelCreating(ModelBuilder modelBuilder) =>
        modelBuilder.Entity<Order>().ToTable("orders").Property(order => order.Id).ValueGeneratedNever();
}

public sealed class Order
{
    public int Id { get; set; } = Shop.NextId();
    public required string Name { get; set; }
}

using Microsoft.EntityFrameworkCore;

namespace Pipeline.Benchmarks;

/// <summary>An event of the ordinary stack: the row, the message and what the browser gets.</summary>
internal sealed record OrdinaryEvent(Guid Id, string User, long Sequence, string Body, DateTimeOffset CreatedAt);

/// <summary>The table that the ordinary stack keeps events in, with its key as the only index.</summary>
internal sealed class OrdinaryDatabase(DbContextOptions<OrdinaryDatabase> options) : DbContext(options)
{
    public DbSet<OrdinaryEvent> Events => Set<OrdinaryEvent>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.HasDefaultSchema("ordinary");
}

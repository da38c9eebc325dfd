using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Npgsql;

namespace Pipeline.Persistence;

/// <summary>The pipeline's schema, and its plain queries. Appends and log reads are hand-written SQL.</summary>
public abstract class PipelineContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>Applied migrations. Not EF Core's default name: the application may keep its own tables in the same database.</summary>
    public const string HistoryTable = "__pipeline_migrations";

    public DbSet<LogGenerationRow> Generations => Set<LogGenerationRow>();
    public DbSet<StreamHeadRow> Heads => Set<StreamHeadRow>();
    public DbSet<EventRow> Events => Set<EventRow>();
    public DbSet<OutboxRow> Outbox => Set<OutboxRow>();
    public DbSet<ProcessRow> Processes => Set<ProcessRow>();
    public DbSet<AgentRunRow> Runs => Set<AgentRunRow>();
    public DbSet<ClientAckRow> Acks => Set<ClientAckRow>();
    public DbSet<IdempotencyRow> Idempotency => Set<IdempotencyRow>();

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        configurationBuilder.Properties<DateTime>().HaveConversion<UtcConverter>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<LogGenerationRow>(table =>
        {
            table.ToTable("log_generation").HasKey(row => row.Id);
            table.Property(row => row.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<StreamHeadRow>().ToTable("stream_head").HasKey(row => row.Stream);
        modelBuilder.Entity<EventRow>(table =>
        {
            table.ToTable("event_log").HasKey(row => new { row.Stream, row.Position });

            // Ids rise with time: new ones go side by side at the end, whatever their streams.
            table.HasIndex(row => new { row.EventId, row.Stream }).IsUnique();
        });
        modelBuilder.Entity<OutboxRow>(table =>
        {
            table.ToTable("outbox").HasKey(row => row.Id);
            table.HasIndex(row => new { row.Owner, row.Id });
        });
        modelBuilder.Entity<ProcessRow>().ToTable("process").HasKey(row => row.Id);
        modelBuilder.Entity<AgentRunRow>(table =>
        {
            table.ToTable("agent_run").HasKey(row => new { row.Stream, row.Run });
            table.HasIndex(row => new { row.RequestedAt, row.Run }).HasFilter("status = 0");
            table.HasIndex(row => row.Worker).HasFilter("status = 1");
        });
        modelBuilder.Entity<ClientAckRow>().ToTable("client_ack").HasKey(row => new { row.Stream, row.Client });
        modelBuilder.Entity<IdempotencyRow>(table =>
        {
            table.ToTable("idempotency").HasKey(row => new { row.Stream, row.Key });
            table.HasIndex(row => row.ExpiresAt);
        });

        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties()))
        {
            property.SetColumnName(SnakeCase(property.Name));
        }
    }

    private static string SnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : $"{c}"));

    private sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(
        value => value, value => DateTime.SpecifyKind(value, DateTimeKind.Utc));
}

/// <summary>The schema on PostgreSQL: everything in the database schema <c>pipeline</c>.</summary>
public sealed class PostgresPipelineContext(DbContextOptions<PostgresPipelineContext> options) : PipelineContext(options)
{
    /// <summary>The database schema.</summary>
    public const string SchemaName = "pipeline";

    // Npgsql's own strategy never retries, but wraps what is transient in an InvalidOperationException.
    internal static DbContextOptions<PostgresPipelineContext> Configure(NpgsqlDataSource source, TimeSpan commandTimeout) =>
        new DbContextOptionsBuilder<PostgresPipelineContext>()
            .UseNpgsql(source, npgsql => npgsql
                .ExecutionStrategy(dependencies => new NonRetryingExecutionStrategy(dependencies))
                .MigrationsHistoryTable(HistoryTable, SchemaName)
                .CommandTimeout((int)Math.Ceiling(commandTimeout.TotalSeconds)))
            .Options;

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(SchemaName);
        base.OnModelCreating(modelBuilder);

        // Ordinal order, so that sorting streams for locking is the same here and in the process.
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties())
            .Where(property => property.ClrType == typeof(string)))
        {
            property.SetCollation("C");
        }

        modelBuilder.Entity<EventRow>().Property(row => row.Body).HasColumnType("json").UseCollation(null);
        modelBuilder.Entity<EventRow>().Property(row => row.StoredAt).HasDefaultValueSql("clock_timestamp()");
        modelBuilder.Entity<OutboxRow>().Property(row => row.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        modelBuilder.Entity<OutboxRow>().Property(row => row.Payload).HasColumnType("json").UseCollation(null);
        modelBuilder.Entity<StreamHeadRow>().Property(row => row.Incarnation).HasDefaultValue(1L);
        modelBuilder.Entity<StreamHeadRow>().Property(row => row.Head).HasDefaultValue(0L);
        modelBuilder.Entity<StreamHeadRow>().Property(row => row.Trimmed).HasDefaultValue(0L);
    }
}

/// <summary>The schema on SQLite, for the embedded default: one writer at a time.</summary>
public sealed class SqlitePipelineContext(DbContextOptions<SqlitePipelineContext> options) : PipelineContext(options)
{
    internal static DbContextOptions<SqlitePipelineContext> Configure(string connectionString, SqliteBusyTimeout busyTimeout) =>
        new DbContextOptionsBuilder<SqlitePipelineContext>()
            .UseSqlite(connectionString, sqlite => sqlite.MigrationsHistoryTable(HistoryTable))
            .AddInterceptors(busyTimeout)
            .Options;

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        const string Now = "strftime('%Y-%m-%d %H:%M:%f', 'now')";
        modelBuilder.Entity<EventRow>().Property(row => row.StoredAt).HasDefaultValueSql(Now);
        modelBuilder.Entity<OutboxRow>().Property(row => row.CreatedAt).HasDefaultValueSql(Now);
    }
}

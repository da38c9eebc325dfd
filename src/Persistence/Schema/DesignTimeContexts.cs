using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Pipeline.Persistence;

/// <summary>Lets <c>dotnet ef migrations add NAME --context PostgresPipelineContext -o Schema/Migrations/Postgres</c> run.</summary>
public sealed class PostgresContextFactory : IDesignTimeDbContextFactory<PostgresPipelineContext>
{
    public PostgresPipelineContext CreateDbContext(string[] args) => new(
        new DbContextOptionsBuilder<PostgresPipelineContext>().UseNpgsql("Host=design-time").Options);
}

/// <summary>Lets <c>dotnet ef migrations add NAME --context SqlitePipelineContext -o Schema/Migrations/Sqlite</c> run.</summary>
public sealed class SqliteContextFactory : IDesignTimeDbContextFactory<SqlitePipelineContext>
{
    public SqlitePipelineContext CreateDbContext(string[] args) => new(
        new DbContextOptionsBuilder<SqlitePipelineContext>().UseSqlite("Data Source=design-time.db").Options);
}

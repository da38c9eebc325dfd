using Microsoft.EntityFrameworkCore.Design;
using Npgsql;

namespace Pipeline.Persistence;

/// <summary>Lets <c>dotnet ef migrations add NAME --context PostgresPipelineContext -o Schema/Migrations/Postgres</c> run.</summary>
public sealed class PostgresContextFactory : IDesignTimeDbContextFactory<PostgresPipelineContext>
{
    public PostgresPipelineContext CreateDbContext(string[] args) =>
        new(PostgresPipelineContext.Configure(NpgsqlDataSource.Create("Host=design-time"), TimeSpan.FromSeconds(10)));
}

/// <summary>Lets <c>dotnet ef migrations add NAME --context SqlitePipelineContext -o Schema/Migrations/Sqlite</c> run.</summary>
public sealed class SqliteContextFactory : IDesignTimeDbContextFactory<SqlitePipelineContext>
{
    public SqlitePipelineContext CreateDbContext(string[] args) =>
        new(SqlitePipelineContext.Configure("Data Source=design-time.db", new SqliteBusyTimeout(TimeSpan.FromSeconds(5))));
}

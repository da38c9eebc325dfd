using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>What a host does about the schema it finds.</summary>
public sealed class SchemaGateTests : IDisposable
{
    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("pipeline-gate-");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_host_that_may_migrate_has_its_schema_once_it_is_started()
    {
        using var host = Build(mayMigrate: true);

        await host.StartAsync(Stop);

        await HasItsSchemaAsync(host);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task A_migration_that_died_holds_up_nobody()
    {
        await QueryAsync("create table __EFMigrationsLock (Id integer primary key, Timestamp text not null)");
        await QueryAsync("insert into __EFMigrationsLock values (1, '2026-11-23 08:00:00')");
        using var host = Build(mayMigrate: true);

        await host.StartAsync(Stop);

        await HasItsSchemaAsync(host);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task A_missing_schema_is_waited_for()
    {
        using var host = Build(mayMigrate: false);
        var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        await host.StartAsync(Stop);
        Assert.Equal(SchemaState.Absent, await host.Services.GetRequiredService<SchemaCheck>().ReadAsync(Stop));
        Assert.False(stopping.IsCancellationRequested);

        await host.Services.GetRequiredService<LogAdmin>().MigrateAsync(Stop);
        Assert.False(stopping.IsCancellationRequested);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task An_incompatible_schema_stops_the_host()
    {
        using var first = Build(mayMigrate: true);
        await first.Services.GetRequiredService<LogAdmin>().MigrateAsync(Stop);
        await QueryAsync("insert into __pipeline_migrations values ('29990101000000_Breaking', '0')");
        var exitCode = Environment.ExitCode;
        using var host = Build(mayMigrate: false);
        var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        await host.StartAsync(Stop);
        await Eventually.HoldsAsync("the host stops", () => stopping.IsCancellationRequested);

        Assert.Equal(1, Environment.ExitCode);
        Environment.ExitCode = exitCode;
        await host.StopAsync(Stop);
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _files.Delete(recursive: true);
    }

    private string ConnectionString => $"Data Source={Path.Combine(_files.FullName, "pipeline.db")}";

    private static Task HasItsSchemaAsync(IHost host) => Eventually.HoldsAsync(
        "the schema is there",
        async () => await host.Services.GetRequiredService<SchemaCheck>().ReadAsync(Stop) == SchemaState.Compatible);

    private async Task QueryAsync(string sql)
    {
        await using var connection = new SqliteConnection(ConnectionString);
        await connection.OpenAsync(Stop);
        await using var command = new SqliteCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Stop);
    }

    private IHost Build(bool mayMigrate)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Persistence:Provider"] = "sqlite",
            ["Persistence:ConnectionString"] = ConnectionString,
            ["Persistence:MigrateAtStart"] = $"{mayMigrate}",
        });
        builder.Logging.ClearProviders();
        builder.Services.AddPipelinePersistence("test");
        return builder.Build();
    }
}

using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>What a host does about the schema it finds.</summary>
public sealed class SchemaWatchTests : IDisposable
{
    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("pipeline-schema-");

    private readonly SchemaLog _log = new();

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
        await Eventually.HoldsAsync("the host says what it waits for", () => Says("Waiting for the schema: the schema is missing"));

        await host.Services.GetRequiredService<LogAdmin>().MigrateAsync(Stop);
        await Eventually.HoldsAsync("the host finds it", () => Says("The schema is there"));
        Assert.False(stopping.IsCancellationRequested);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task A_folder_that_is_missing_is_named_and_waited_for()
    {
        var folder = Path.Combine(_files.FullName, "missing");
        using var host = Build(mayMigrate: true, Path.Combine(folder, "pipeline.db"));
        var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        await host.StartAsync(Stop);
        await Eventually.HoldsAsync("the host names the folder", () => Says($"'{folder}/pipeline.db-migrating' can't be written"));

        Directory.CreateDirectory(folder);
        await HasItsSchemaAsync(host);
        Assert.False(stopping.IsCancellationRequested);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task A_migration_of_another_process_that_does_not_end_is_given_up()
    {
        using var host = Build(mayMigrate: true);
        await using var other = new FileStream(Path.Combine(_files.FullName, "pipeline.db-migrating"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        var time = new FakeTimeProvider();
        await using var context = host.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        var waiting = SqliteMigrationGuard.EnterAsync(context.Database, time, Stop);

        await Eventually.HoldsAsync("it is given up", () =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            return waiting.IsCompleted;
        });

        Assert.Contains("pipeline.db-migrating", (await Assert.ThrowsAsync<TimeoutException>(() => waiting)).Message, StringComparison.Ordinal);
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
        _log.Dispose();
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

    private bool Says(string text) => _log.Texts.Any(line => line.Contains(text, StringComparison.Ordinal));

    private IHost Build(bool mayMigrate, string? file = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Persistence:Provider"] = "sqlite",
            ["Persistence:ConnectionString"] = file is null ? ConnectionString : $"Data Source={file}",
            ["Persistence:MigrateAtStart"] = $"{mayMigrate}",
        });
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.Services.AddPipelinePersistence("test");
        return builder.Build();
    }

    /// <summary>Keeps what <see cref="SchemaWatch"/> says.</summary>
    private sealed class SchemaLog : ILoggerProvider
    {
        private readonly MemoryLog<SchemaWatch> _watch = new();
        private readonly MemoryLog<object> _others = new();

        public IEnumerable<string> Texts => _watch.Entries.ToArray().Select(entry => entry.Text);

        public ILogger CreateLogger(string categoryName) => categoryName == typeof(SchemaWatch).FullName ? _watch : _others;

        public void Dispose()
        {
        }
    }
}

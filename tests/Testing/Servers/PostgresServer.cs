using Npgsql;
using Testcontainers.PostgreSql;

namespace Pipeline.Testing;

/// <summary>A PostgreSQL server. A test that stops it starts a private one.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string Variable = "PIPELINE_TEST_POSTGRES";

    private readonly IServerHost host;
    private readonly string administrator;

    private PostgresServer(IServerHost host, string administrator)
    {
        this.host = host;
        this.administrator = administrator;
    }

    /// <summary>Starts a private server: a container where a Docker engine answers, else local binaries.</summary>
    public static async Task<PostgresServer> StartPrivateAsync() =>
        ContainerServer.EngineAnswers ? await StartContainerAsync() : await StartLocalAsync();

    /// <summary>Starts a private server from local binaries that syncs every commit to disk, as benchmarks need it.</summary>
    public static async Task<PostgresServer> StartDurableAsync()
    {
        var server = Of(await LocalServer.StartNewAsync("postgres", "--durable"));

        // It has a gigabyte of files of its log, as one that has run for a while, once a checkpoint lies behind them. One that is missing
        // is made when it is needed, and meanwhile no transaction commits. A restore point, since one with nothing in it would not be left.
        await server.ExecuteAsync("select pg_create_restore_point('start'), pg_switch_wal() from generate_series(1, 64)");
        return server;
    }

    /// <summary>Starts a private server from local binaries, whose data can be saved, restored and followed by a standby.</summary>
    /// <param name="folder">Where it lives; null for a temporary one.</param>
    public static async Task<PostgresServer> StartLocalAsync(string? folder = null) =>
        Of(folder is null ? await LocalServer.StartNewAsync("postgres") : await LocalServer.StartNewAsync(folder, "postgres", []));

    /// <summary>An administrator's connection string to database <c>postgres</c>.</summary>
    public string Administrator => administrator;

    public int Port => new NpgsqlConnectionStringBuilder(administrator).Port;

    /// <summary>Whether it takes connections.</summary>
    public async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(administrator);
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>Keeps a copy of a stopped local server's data.</summary>
    public Task SaveAsync() => Local.DoAsync("save");

    /// <summary>Puts what was saved in the place of a stopped local server's data.</summary>
    public Task RestoreAsync() => Local.DoAsync("restore");

    /// <summary>Starts a streaming standby of a local server.</summary>
    public async Task<PostgresServer> StartStandbyAsync() => Of(await Local.StartStandbyAsync());

    /// <summary>Makes a primary of a standby.</summary>
    public Task PromoteAsync() => Local.DoAsync("promote");

    /// <summary>Stops a private server in the middle of what it does; its connections stay open.</summary>
    public Task PauseAsync() => host.PauseAsync();

    /// <summary>Goes on after <see cref="PauseAsync"/>.</summary>
    public Task ResumeAsync() => host.ResumeAsync();

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"pipeline_{Guid.CreateVersion7():N}";
        await ExecuteAsync($"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'");
        return new NpgsqlConnectionStringBuilder(administrator) { Database = name, Pooling = true }.ConnectionString;
    }

    /// <summary>Deletes a database, whoever still has it open.</summary>
    public Task DropDatabaseAsync(string connectionString) =>
        ExecuteAsync($"drop database {new NpgsqlConnectionStringBuilder(connectionString).Database} with (force)");

    /// <summary>Runs a statement as administrator.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(administrator);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Stops a private server at once, as a crash would (<c>pg_ctl stop -m immediate</c>).</summary>
    public Task StopAsync() => host.CrashAsync();

    /// <summary>Starts a stopped private server again on the same port and data.</summary>
    public Task StartAsync() => host.StartAsync();

    public ValueTask DisposeAsync() => host.DisposeAsync();

    internal static async Task<PostgresServer> StartSharedAsync()
    {
        var given = Environment.GetEnvironmentVariable(Variable);
        return string.IsNullOrEmpty(given)
            ? await StartPrivateAsync()
            : new PostgresServer(new GivenServer(Variable), given);
    }

    private static PostgresServer Of(LocalServer server) =>
        new(server, ConnectionString(server.Host, server.Port, server.Username, server.Password));

    private LocalServer Local => host as LocalServer
        ?? throw new InvalidOperationException("only a server that was started from local binaries can do that");

    private static async Task<PostgresServer> StartContainerAsync()
    {
        const string Name = "pipeline";
        var port = FreePort.Find();
        var container = new PostgreSqlBuilder("postgres:17")
            .WithDatabase("postgres").WithUsername(Name).WithPassword(Name)
            .WithPortBinding(port, PostgreSqlBuilder.PostgreSqlPort)
            .WithCommand("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "max_prepared_transactions=10")
            .WithCreateParameterModifier(parameters => parameters.StopSignal = ContainerServer.CrashSignal)
            .Build();
        await container.StartAsync();
        return new PostgresServer(new ContainerServer(container), ConnectionString(container.Hostname, port, Name, Name));
    }

    // Unpooled: a connection of the administrator never outlives its one statement, nor a crash of the server.
    private static string ConnectionString(string host, int port, string username, string password) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = host,
            Port = port,
            Username = username,
            Password = password,
            Database = "postgres",
            Pooling = false,
        }.ConnectionString;
}

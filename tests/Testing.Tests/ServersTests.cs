using Npgsql;
using RabbitMQ.Client;

namespace Pipeline.Testing.Tests;

public sealed class ServersTests
{
    [Fact]
    public async Task Databases_of_the_shared_server_are_empty_and_apart()
    {
        var server = await Servers.PostgresAsync();
        var one = await server.CreateDatabaseAsync();
        var other = await server.CreateDatabaseAsync();

        await ExecuteAsync(one, "create table t (x int)");
        await ExecuteAsync(other, "create table t (x int)");

        Assert.Equal("UTF8", await ExecuteAsync(one, "show server_encoding"));
        Assert.Equal("C", await ExecuteAsync(one, "select datcollate from pg_database where datname = current_database()"));
    }

    [Fact]
    public async Task A_private_database_server_keeps_its_data_and_port_through_a_crash()
    {
        await using var server = await PostgresServer.StartPrivateAsync();
        var database = await server.CreateDatabaseAsync();
        await ExecuteAsync(database, "create table t as select 42 as x");

        await server.StopAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(database, "select x from t"));
        await server.StartAsync();

        await Eventually.HoldsAsync("the row is back", async () => await ExecuteAsync(database, "select x from t") is 42);
    }

    [Fact]
    public async Task A_virtual_host_of_the_shared_broker_takes_a_connection()
    {
        var server = await Servers.RabbitAsync();
        var virtualHost = await server.CreateVirtualHostAsync();

        await using var connection = await ConnectAsync(server, virtualHost);

        Assert.Contains("running", await server.ControlAsync("list_connections", "state"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_broker_keeps_its_queues_and_port_through_a_crash()
    {
        await using var server = await RabbitServer.StartPrivateAsync();
        var virtualHost = await server.CreateVirtualHostAsync();
        await using (var before = await ConnectAsync(server, virtualHost))
        await using (var channel = await before.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken))
        {
            await channel.QueueDeclareAsync("kept", durable: true, exclusive: false, autoDelete: false, cancellationToken: TestContext.Current.CancellationToken);

            // Mnesia writes its log two seconds late; a broker with Khepri has no such log.
            await server.ControlAsync("eval", "catch mnesia:sync_log().");
            await server.StopAsync();
        }

        await server.StartAsync();

        await using var after = await ConnectAsync(server, virtualHost);
        Assert.Contains("kept", await server.ControlAsync("list_queues", "-p", virtualHost, "name"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failing_command_says_what_it_printed()
    {
        var server = await Servers.RabbitAsync();

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => server.ControlAsync("delete_vhost", "nobody"));

        Assert.Contains("nobody", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<object?> ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync();
    }

    private static Task<IConnection> ConnectAsync(RabbitServer server, string virtualHost) =>
        new ConnectionFactory
        {
            HostName = server.Host,
            Port = server.Port,
            UserName = server.Username,
            Password = server.Password,
            VirtualHost = virtualHost,
            AutomaticRecoveryEnabled = false,
        }.CreateConnectionAsync(TestContext.Current.CancellationToken);
}

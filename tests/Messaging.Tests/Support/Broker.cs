using System.Globalization;
using MassTransit;
using Pipeline.Testing;
using RabbitMQ.Client;

namespace Pipeline.Messaging.Tests;

/// <summary>A virtual host of a real broker.</summary>
internal sealed partial class Broker(RabbitServer server, string virtualHost)
{
    public const string PageExchange = "Pipeline.Contracts:AgentEventPage";

    public RabbitServer Server => server;

    public static async Task<Broker> SharedAsync()
    {
        var server = await Servers.RabbitAsync();
        return new Broker(server, await server.CreateVirtualHostAsync());
    }

    public static async Task<Broker> PrivateAsync()
    {
        var server = await RabbitServer.StartPrivateAsync();
        return new Broker(server, await server.CreateVirtualHostAsync());
    }

    public void Use(IDictionary<string, string?> settings)
    {
        settings["Bus:Transport"] = "rabbitmq";
        settings["Bus:Host"] = server.Host;
        settings["Bus:Port"] = server.Port.ToString(CultureInfo.InvariantCulture);
        settings["Bus:VirtualHost"] = virtualHost;
        settings["Bus:Username"] = server.Username;
        settings["Bus:Password"] = server.Password;
    }

    public IDictionary<string, string> StockEnvironment() => new Dictionary<string, string>
    {
        ["STOCK_HOST"] = server.Host,
        ["STOCK_PORT"] = server.Port.ToString(CultureInfo.InvariantCulture),
        ["STOCK_VHOST"] = virtualHost,
        ["STOCK_USER"] = server.Username,
        ["STOCK_PASSWORD"] = server.Password,
    };

    public Task<BusHost> StartHostAsync(
        Action<PipelineBusBuilder>? takes = null, string name = "test", Action<IDictionary<string, string?>>? settings = null) =>
        BusHost.StartAsync(
            all =>
            {
                Use(all);
                settings?.Invoke(all);
            },
            takes,
            name);

    /// <summary>A bus of someone else's, as MassTransit makes it.</summary>
    public async Task<IBusControl> StartStockBusAsync(Action<IRabbitMqBusFactoryConfigurator> configure)
    {
        var bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(server.Host, (ushort)server.Port, virtualHost, host =>
            {
                host.Username(server.Username);
                host.Password(server.Password);
            });
            configure(rabbit);
        });
        await bus.StartAsync(TestContext.Current.CancellationToken);
        return bus;
    }

    public async Task<IReadOnlyList<string>> ListAsync(string what, params string[] columns) =>
        [.. (await server.ControlAsync([what, "-p", virtualHost, "--no-table-headers", "--silent", .. columns]))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];

    /// <summary>Open connections of this virtual host: what the client calls them, and the broker's id.</summary>
    public async Task<IReadOnlyList<(string Name, string Pid)>> ConnectionsAsync() =>
        [.. (await server.ControlAsync("list_connections", "vhost", "pid", "client_properties", "--no-table-headers", "--silent"))
            .Split('\n').Select(line => line.Split('\t')).Where(line => line[0] == virtualHost)
            .Select(line => (NameIn().Match(line[2]).Groups[1].Value, line[1]))];

    public Task AllowAsync(string user) => server.ControlAsync("set_permissions", "-p", virtualHost, user, ".*", ".*", ".*");

    /// <summary>Deletes a queue under its owner's feet.</summary>
    public Task DeleteQueueAsync(string queue) =>
        server.ControlAsync(
            "eval",
            $$"""
            {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{{virtualHost}}">>, queue, <<"{{queue}}">>)),
            rabbit_amqqueue:delete(Q, false, false, <<"test">>), ok.
            """);

    /// <summary>Erlang that puts a message of MassTransit's into a queue, past all publishers.</summary>
    public string Publish(string queue, string json) =>
        $$"""
        X = rabbit_misc:r(<<"{{virtualHost}}">>, exchange, <<>>),
        rabbit_basic:publish(X, <<"{{queue}}">>, [{content_type, <<"application/vnd.masstransit+json">>}], <<"{{json.Replace("\"", "\\\"", StringComparison.Ordinal)}}">>), ok.
        """;

    /// <summary>Closes a connection from the broker's side, as when its process died.</summary>
    public async Task CloseConnectionAsync(string name)
    {
        var connections = await server.ControlAsync("list_connections", "pid", "client_properties", "--no-table-headers", "--silent");
        var line = connections.Split('\n').Single(line => line.Contains($"\"{name}\"", StringComparison.Ordinal));
        await server.ControlAsync("close_connection", line.Split('\t')[0], "test");
    }

    /// <summary>Removes a binding between exchanges.</summary>
    public Task UnbindAsync(string source, string destination) =>
        UseAsync(channel => channel.ExchangeUnbindAsync(destination, source, routingKey: ""));

    /// <summary>Someone else's queue of pages that accepts none and says so to the publisher.</summary>
    public Task BindFullQueueAsync(string queue) => UseAsync(async channel =>
    {
        await channel.ExchangeDeclareAsync(PageExchange, ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(
            queue, durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" });
        await channel.QueueBindAsync(queue, PageExchange, routingKey: "");
    });

    /// <summary>Does something with a plain client.</summary>
    public async Task UseAsync(Func<IChannel, Task> use)
    {
        var factory = new ConnectionFactory
        {
            HostName = server.Host, Port = server.Port, VirtualHost = virtualHost, UserName = server.Username, Password = server.Password,
        };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await use(channel);
    }

    [System.Text.RegularExpressions.GeneratedRegex("\"connection_name\",\"([^\"]*)\"")]
    private static partial System.Text.RegularExpressions.Regex NameIn();
}

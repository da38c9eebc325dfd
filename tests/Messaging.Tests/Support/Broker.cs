using System.Globalization;
using MassTransit;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

/// <summary>A virtual host of a real broker.</summary>
internal sealed class Broker(RabbitServer server, string virtualHost)
{
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

    public Task<string> EvalAsync(string erlang) =>
        server.ControlAsync("eval", erlang.Replace("VHOST", $"<<\"{virtualHost}\">>", StringComparison.Ordinal));
}

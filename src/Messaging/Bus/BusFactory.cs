using System.Net.Security;
using System.Security.Authentication;
using MassTransit;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>
/// Makes MassTransit buses without its container registration, which a host that uses MassTransit for its own ends may
/// want for itself, and whose health checks and telemetry are not ours.
/// </summary>
internal static class BusFactory
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    public static IBusControl Create(BusOptions options, string connectionName, ILoggerFactory loggers)
    {
        LogContext.ConfigureCurrentLogContext(loggers);
        return options.Transport == BusOptions.Memory
            ? MassTransit.Bus.Factory.CreateUsingInMemory(ConfigureTopology)
            : MassTransit.Bus.Factory.CreateUsingRabbitMq(bus =>
            {
                ConfigureTopology(bus);
                bus.Host(options.Host, (ushort)options.Port, options.VirtualHost, connectionName, host => ConfigureHost(host, options));
            });
    }

    private static void ConfigureHost(IRabbitMqHostConfigurator host, BusOptions options)
    {
        host.Username(options.Username);
        host.Password(options.Password);
        host.Heartbeat(Heartbeat);
        host.RequestedConnectionTimeout(ConnectTimeout);
        if (options.UseTls)
        {
            host.UseSsl(tls =>
            {
                tls.ServerName = options.Host;
                tls.Protocol = SslProtocols.Tls12 | SslProtocols.Tls13;
                tls.EnforcePolicyErrors(
                    SslPolicyErrors.RemoteCertificateChainErrors
                    | SslPolicyErrors.RemoteCertificateNameMismatch
                    | SslPolicyErrors.RemoteCertificateNotAvailable);
            });
        }
    }

    // Typed events go to exchanges of their own types; one of the abstract base would have no reader.
    private static void ConfigureTopology(IBusFactoryConfigurator bus) => bus.Publish<AgentEvent>(topology => topology.Exclude = true);
}

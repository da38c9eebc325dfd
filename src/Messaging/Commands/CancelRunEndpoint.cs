using MassTransit;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>This worker's own queue of cancellations: every worker gets each, whoever runs the run acts.</summary>
internal sealed class CancelRunEndpoint(
    BusConnections connections,
    BusHealth health,
    TimeProvider time,
    ILogger<ConsumeEndpoint> logger,
    ProcessIdentity identity,
    IRunCommandHandler handler) : ConsumeEndpoint(connections, health, time, logger)
{
    private const int Prefetch = 16;
    private const long QueueBytes = 1024 * 1024;

    protected override string NameQueue(int connect) => QueueNames.OfProcess("worker", identity, connect);

    protected override void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConcurrentMessageLimit = 1;
        endpoint.DiscardFaultedMessages();
        endpoint.DiscardSkippedMessages();
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
        {
            QueueNames.MakeOwn(rabbit, QueueBytes);
        }

        endpoint.Handler<CancelRun>(context =>
        {
            handler.Cancel(context.Message);
            return Task.CompletedTask;
        });
    }
}

using MassTransit;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>
/// The queue <c>start-run</c> that all workers share. A command that fails, or kills its workers, too often ends in
/// <c>start-run_error</c>; the run itself waits in the database and is found by the workers' scan.
/// </summary>
internal sealed class StartRunEndpoint(
    BusConnections connections, BusHealth health, TimeProvider time, ILogger<ConsumeEndpoint> logger, IRunCommandHandler handler)
    : ConsumeEndpoint(connections, health, time, logger)
{
    private const int Prefetch = 4;
    private const int DeliveryLimit = 5;
    private static readonly TimeSpan[] Retries = [TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)];

    protected override string NameQueue(int connect) => QueueNames.StartRun;

    protected override void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConcurrentMessageLimit = Prefetch;
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
        {
            // A failed command goes back to the queue: the broker alone counts, and one dead letter queue holds them all.
            endpoint.RethrowFaultedMessages();
            endpoint.ThrowOnSkippedMessages();
            rabbit.SetQuorumQueue();
            rabbit.SetQueueArgument("x-delivery-limit", DeliveryLimit);
            rabbit.BindDeadLetterQueue(QueueNames.StartRunDead, QueueNames.StartRunDead, dead => dead.SetQuorumQueue());
        }

        endpoint.UseMessageRetry(retry => retry.Intervals(Retries));
        endpoint.Handler<StartRun>(context => handler.StartAsync(context.Message, context.CancellationToken));
    }
}

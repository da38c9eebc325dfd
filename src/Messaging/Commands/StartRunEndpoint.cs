using MassTransit;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>
/// The queue <c>start-run</c> that all workers share. A command that can't be read or fails goes to <c>start-run_error</c>
/// with the reason, and so, by the broker's count, does one whose workers die; the run itself waits in the database and is
/// found by the workers' scan.
/// </summary>
internal sealed class StartRunEndpoint(
    BusConnections connections,
    BusHealth health,
    TimeProvider time,
    ILogger<ConsumeEndpoint> logger,
    BusPublisher publisher,
    IRunCommandHandler handler) : ConsumeEndpoint(connections, health, time, logger)
{
    private const int Prefetch = 4;
    private const int DeliveryLimit = 5;

    protected override string NameQueue(int connect) => QueueNames.StartRun;

    protected override void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConcurrentMessageLimit = Prefetch;
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
        {
            // Requeued, it would come back for ever: RabbitMQ 4.3 counts only deliveries whose consumer died.
            endpoint.ConfigureError(error => error.UseExecuteAsync(
                failed => publisher.SendToDeadAsync(failed, "fault", failed.Exception.Message)));
            endpoint.ConfigureDeadLetter(skipped => skipped.UseExecuteAsync(
                unknown => publisher.SendToDeadAsync(unknown, "skipped", "It is no StartRun.")));
            rabbit.SetQuorumQueue();
            rabbit.SetQueueArgument("x-delivery-limit", DeliveryLimit);
            rabbit.BindDeadLetterQueue(QueueNames.StartRunDead, QueueNames.StartRunDead, dead => dead.SetQuorumQueue());
        }

        endpoint.Handler<StartRun>(context => handler.StartAsync(context.Message, context.CancellationToken));
    }
}

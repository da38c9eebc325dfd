using MassTransit;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>
/// The queue <c>start-run</c> that all workers share. A command that can't be read or fails goes to <c>start-run_error</c>
/// with the reason, and so, by the broker's count, does one whose workers die; the run itself waits in the database and is
/// found by the workers' scan.
/// </summary>
internal sealed partial class StartRunEndpoint(
    BusConnections connections,
    BusHealth health,
    TimeProvider time,
    ILogger<ConsumeEndpoint> logger,
    BusPublisher publisher,
    IRunCommandHandler handler) : ConsumeEndpoint(connections, health, time, logger)
{
    private const int Prefetch = 4;
    private const int DeliveryLimit = 5;

    private readonly ILogger _logger = logger;

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
                failed => GiveUpAsync(failed, "fault", failed.Exception)));
            endpoint.ConfigureDeadLetter(skipped => skipped.UseExecuteAsync(
                unknown => GiveUpAsync(unknown, "skipped", new InvalidOperationException("It is no StartRun."))));
            rabbit.SetQuorumQueue();
            rabbit.SetQueueArgument("x-delivery-limit", DeliveryLimit);
            rabbit.BindDeadLetterQueue(QueueNames.StartRunDead, QueueNames.StartRunDead, dead => dead.SetQuorumQueue());
        }

        endpoint.Handler<StartRun>(context => handler.StartAsync(context.Message, context.CancellationToken));
    }

    private async Task GiveUpAsync(ReceiveContext command, string reason, Exception problem)
    {
        LogGivenUp(Queue, QueueNames.StartRunDead, problem.Message);
        await publisher.SendToDeadAsync(command, reason, problem.Message);

        // Else MassTransit, which has not seen a consumer fail, takes an unreadable message for a skipped one as well.
        await command.NotifyFaulted(problem);
    }

    [LoggerMessage(2014, LogLevel.Error, "A message of {Queue} could not be handled and goes to {DeadLetters}: {Problem}")]
    private partial void LogGivenUp(string queue, string deadLetters, string problem);
}

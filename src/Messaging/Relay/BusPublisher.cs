using System.Net.Mime;
using MassTransit;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>One attempt to publish, through MassTransit; returns when the broker confirmed.</summary>
internal sealed class BusPublisher(BusConnections connections, IOptions<BusOptions> options)
{
    private static readonly Uri StartRunAddress = new($"exchange:{QueueNames.StartRun}");
    private static readonly Uri StartRunDeadAddress = new($"exchange:{QueueNames.StartRunDead}");

    private static readonly ContentType PageType = new(PageWriter.ContentType);

    // What is sent are the bytes; MassTransit only needs an object of the type for its routing.
    private static readonly AgentEventPage Stand = new() { Relay = default, Number = 0, Generation = 0, Streams = [], Events = [] };

    public async Task PublishPageAsync(byte[] page, CancellationToken cancellationToken)
    {
        var endpoint = await connections.Publish.GetPublishSendEndpoint<AgentEventPage>();
        await endpoint.Send(Stand, Pipe.Execute<SendContext<AgentEventPage>>(context => context.Serializer = new Raw(page, PageType)), cancellationToken);
    }

    /// <summary>Puts a command as it came beside the others that went wrong.</summary>
    public async Task SendToDeadAsync(ReceiveContext command, string reason, string problem)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(command.CancellationToken);
        late.CancelAfter(options.Value.PublishTimeout);
        var endpoint = await connections.Publish.GetSendEndpoint(StartRunDeadAddress);
        await endpoint.Send(
            new StartRun { Tenant = "", User = "", Run = "" },
            Pipe.Execute<SendContext<StartRun>>(context =>
            {
                context.Serializer = new Raw(command.Body.GetBytes(), command.ContentType);
                context.Headers.Set(MessageHeaders.Reason, reason);
                context.Headers.Set(MessageHeaders.FaultMessage, problem);
            }),
            late.Token);
    }

    /// <summary>Sends a <see cref="StartRun"/> to its queue and publishes everything else by its type.</summary>
    public async Task PublishAsync(object message, CancellationToken cancellationToken)
    {
        if (message is StartRun start)
        {
            // To the exchange: naming the queue would declare it here, in another shape than the workers do.
            var endpoint = await connections.Publish.GetSendEndpoint(StartRunAddress);
            await endpoint.Send(start, cancellationToken);
            return;
        }

        // An event keeps its id however often it is published: consumers can tell a repetition by it.
        var pipe = Pipe.Execute<PublishContext>(context => context.MessageId = message is AgentEvent @event ? @event.Id : context.MessageId);
        await connections.Publish.Publish(message, message.GetType(), pipe, cancellationToken);
    }

    private sealed class Raw(byte[] body, ContentType contentType) : IMessageSerializer
    {
        public ContentType ContentType { get; } = contentType;

        public MessageBody GetMessageBody<T>(SendContext<T> context)
            where T : class => new BytesMessageBody(body);
    }
}

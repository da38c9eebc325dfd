using System.Net.Mime;
using MassTransit;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>One attempt to publish, through MassTransit; returns when the broker confirmed.</summary>
internal sealed class BusPublisher(BusConnections connections)
{
    private static readonly Uri StartRunAddress = new($"exchange:{QueueNames.StartRun}");

    // What is sent are the bytes; MassTransit only needs an object of the type for its routing.
    private static readonly AgentEventPage Stand = new() { Relay = default, Number = 0, Generation = 0, Streams = [], Events = [] };

    public async Task PublishPageAsync(byte[] page, CancellationToken cancellationToken)
    {
        var endpoint = await connections.Publish.GetPublishSendEndpoint<AgentEventPage>();
        await endpoint.Send(Stand, Pipe.Execute<SendContext<AgentEventPage>>(context => context.Serializer = new Raw(page)), cancellationToken);
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

        await connections.Publish.Publish(message, message.GetType(), cancellationToken);
    }

    private sealed class Raw(byte[] body) : IMessageSerializer
    {
        public ContentType ContentType { get; } = new(PageWriter.ContentType);

        public MessageBody GetMessageBody<T>(SendContext<T> context)
            where T : class => new BytesMessageBody(body);
    }
}

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Server-sent events. Whatever the node lacks, the answer is 200 with a retry time: EventSource gives up for good on
/// anything else (WHATWG HTML, 9.2).
/// </summary>
internal sealed class SseTransport(PushLoop loop, Connections connections, SubscriptionServices services, IOptions<FeedOptions> options)
{
    public async Task RunAsync(HttpContext context, Caller caller, EventsRequest request)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        using var connection = new Connection(caller, request.Client, services.Time);
        var mayStay = connections.TryAdd(connection, replaces: false) is null;
        try
        {
            var sink = new SseSink(context, options.Value, services.Time);
            await sink.SendRetryAsync(options.Value.Retry, context.RequestAborted);
            if (mayStay)
            {
                await using var subscription = new Subscription(services, connection, request.Start, cursorIsAck: true);
                await loop.RunAsync(connection, subscription, sink, context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            // The client is gone, or took nothing in for too long.
        }
        finally
        {
            connections.Remove(connection);
        }
    }

    private sealed class SseSink(HttpContext context, FeedOptions options, TimeProvider time) : IFrameSink
    {
        private readonly WriteBound _bound = new(context, options.WriteTimeout, time);

        public string Transport => "sse";

        public async Task SendRetryAsync(TimeSpan retry, CancellationToken cancellationToken)
        {
            using var text = new PooledBuffer(64);
            EventWriter.WriteRetry(text, retry);
            await WriteAsync(text, cancellationToken);
        }

        public async Task SendEventsAsync(Step step, CancellationToken cancellationToken)
        {
            using var text = new PooledBuffer(EventWriter.SizeOf(step));
            for (var i = 0; i < step.Bodies.Count; i++)
            {
                EventWriter.WriteMessage(text, step.Cursor.Epoch!, step.First + i, step.Bodies[i].Span);
            }

            await WriteAsync(text, cancellationToken);
        }

        public async Task SendAsync<T>(string type, string? cursor, T frame, JsonTypeInfo<T> json, CancellationToken cancellationToken)
        {
            using var text = new PooledBuffer(256);
            EventWriter.WriteNamedMessage(text, type, cursor, JsonSerializer.SerializeToUtf8Bytes(frame, json));
            await WriteAsync(text, cancellationToken);
        }

        private Task WriteAsync(PooledBuffer text, CancellationToken cancellationToken) =>
            _bound.WriteAsync(context.Response.BodyWriter, text.Written, cancellationToken);
    }
}

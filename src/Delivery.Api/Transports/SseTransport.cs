using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Server-sent events. Whatever the node lacks, the answer is 200 with a retry time: EventSource gives up for good on
/// anything else (WHATWG HTML, 9.2).
/// </summary>
internal sealed class SseTransport(PushLoop loop, SubscriptionServices services, IOptions<FeedOptions> options)
{
    public async Task RunAsync(HttpContext context, Caller caller, EventsRequest request)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        using var signal = new Signal(services.Time);
        await using var subscription = new Subscription(
            services, caller.Stream, request.Start, request.Client, signal, cursorIsAck: true);
        using var sink = new SseSink(context, options.Value, services.Time);
        try
        {
            await sink.SendRetryAsync(options.Value.Retry, context.RequestAborted);
            var connection = new Connection(caller, request.Client, signal);
            await loop.RunAsync(connection, subscription, sink, replaces: false, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The client is gone, or took nothing in for too long.
        }
    }

    private sealed class SseSink(HttpContext context, FeedOptions options, TimeProvider time) : IFrameSink, IDisposable
    {
        private readonly WriteBound _bound = new(context, options.WriteTimeout, time);

        public string Transport => "sse";

        public Task SendRetryAsync(TimeSpan retry, CancellationToken cancellationToken)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"retry: {retry.TotalMilliseconds:0}\n\n");
            context.Response.BodyWriter.Write(Encoding.ASCII.GetBytes(text));
            return FlushAsync(cancellationToken);
        }

        public Task SendEventsAsync(Step step, CancellationToken cancellationToken)
        {
            for (var i = 0; i < step.Bodies.Count; i++)
            {
                EventWriter.WriteMessage(context.Response.BodyWriter, step.Cursor.Epoch!, step.First + i, step.Bodies[i].Span);
            }

            return FlushAsync(cancellationToken);
        }

        public Task SendAsync<T>(string type, string? cursor, T frame, JsonTypeInfo<T> json, CancellationToken cancellationToken)
        {
            EventWriter.WriteNamedMessage(
                context.Response.BodyWriter, type, cursor, JsonSerializer.SerializeToUtf8Bytes(frame, json));
            return FlushAsync(cancellationToken);
        }

        public void Dispose() => _bound.Dispose();

        private Task FlushAsync(CancellationToken cancellationToken) => _bound.RunAsync(
            static async (writer, token) => await writer.FlushAsync(token), context.Response.BodyWriter, cancellationToken);
    }
}

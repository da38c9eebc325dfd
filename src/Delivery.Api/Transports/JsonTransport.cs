using System.Buffers;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>JSON: one page, or a long-poll for one (PROTOCOL.md, "JSON").</summary>
internal sealed class JsonTransport(
    Connections connections, SubscriptionServices services, DeliveryMetrics metrics, IOptions<FeedOptions> options)
{
    /// <summary>Most bytes of bodies in one answer, one event at least.</summary>
    public const int PageBytes = 1024 * 1024;

    private const string Transport = "json";

    public async Task RunAsync(HttpContext context, Caller caller, EventsRequest request)
    {
        using var signal = new Signal(services.Time);
        await using var subscription = new Subscription(
            services, caller.Stream, request.Start, request.Client, signal, cursorIsAck: true);
        var connection = new Connection(caller, request.Client, signal);
        var mayWait = connections.TryAdd(connection, replaces: false);
        metrics.Connected(Transport, 1);
        await using var gone = context.RequestAborted.Register(signal.Pulse);
        try
        {
            using var events = new PooledBuffer(1024);
            var page = new Page(request, subscription.Told);
            await CollectAsync(page, events, subscription, connection, mayWait ? request.Wait : TimeSpan.Zero, context.RequestAborted);
            metrics.Sent(Transport, page.Count);
            await WriteAsync(context, page, events, subscription);
        }
        finally
        {
            metrics.Connected(Transport, -1);
            if (mayWait)
            {
                connections.Remove(connection);
            }
        }
    }

    private async Task CollectAsync(
        Page page, PooledBuffer events, Subscription subscription, Connection connection, TimeSpan wait, CancellationToken cancellationToken)
    {
        var settleUntil = services.Time.After(options.Value.LogTimeout);
        var waitUntil = services.Time.After(wait);
        while (!page.IsFull)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var step = subscription.Poll(page.Room, page.RoomBytes);
            if (step.Kind != StepKind.Wait)
            {
                page.Take(step, events);
                continue;
            }

            var settled = page.IsLive || services.Degradation.IsLogAway;
            var until = settled ? waitUntil : Math.Max(settleUntil, waitUntil);
            if ((settled && page.IsWorthAnswering) || until <= services.Time.GetTimestamp() || connection.DrainAt < long.MaxValue)
            {
                return;
            }

            await subscription.Signal.WaitAsync(Math.Min(until, subscription.RetryAt));
        }
    }

    private async Task WriteAsync(HttpContext context, Page page, PooledBuffer events, Subscription subscription)
    {
        var head = subscription.Head;
        var answer = new EventsPage
        {
            After = page.After?.ToString(),
            Cursor = subscription.Told?.ToString(),
            Head = head?.ToString(),
            Resume = page.Reason is not null ? ResumeKinds.Reset
                : head is not null && head == subscription.Told ? ResumeKinds.Live : ResumeKinds.Replaying,
            Reason = page.Reason,
            Degraded = services.Degradation.Current,
        };
        await answer.WriteAsync(context.Response, events.Written, context.RequestAborted);
    }

    /// <summary>An answer while it is collected.</summary>
    private sealed class Page(EventsRequest request, Cursor? told)
    {
        private long _bytes;

        public int Count { get; private set; }

        public Cursor? After { get; private set; } = told;

        public string? Reason { get; private set; }

        public int Room => request.Limit - Count;

        public int RoomBytes => (int)Math.Max(1, PageBytes - _bytes);

        public bool IsFull => Room == 0 || _bytes >= PageBytes;

        public bool IsLive { get; private set; }

        /// <summary>Whether there is something to say. Who gave no cursor wants to know the head, not to wait.</summary>
        public bool IsWorthAnswering => Count > 0 || Reason is not null || (request.Start is null && request.Client is null);

        public void Take(Step step, PooledBuffer events)
        {
            switch (step.Kind)
            {
                case StepKind.Events:
                    After ??= step.After;
                    if (Count > 0)
                    {
                        events.Write(","u8);
                    }

                    EventWriter.WriteEvents(events, step);
                    Count += step.Bodies.Count;
                    _bytes += step.Bodies.Sum(body => (long)body.Length);
                    break;
                case StepKind.Live:
                    After ??= step.Cursor;
                    IsLive = true;
                    break;
                case StepKind.Reset:
                    events.Clear();
                    (Count, _bytes, IsLive) = (0, 0, false);
                    (After, Reason) = (step.Cursor, step.Reason);
                    break;
            }
        }
    }
}

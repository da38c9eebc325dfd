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
        using var connection = new Connection(caller, request.Client, services.Time);
        if (connections.TryAdd(connection, replaces: false) is { } full)
        {
            await Problem.Unavailable(full).ExecuteAsync(context);
            return;
        }

        metrics.Connected(Transport, 1);
        await using var gone = context.RequestAborted.Register(connection.Signal.Pulse);
        try
        {
            await using var subscription = new Subscription(services, connection, request.Start, cursorIsAck: true);
            await AnswerAsync(context, request, subscription, connection);
        }
        finally
        {
            metrics.Connected(Transport, -1);
            connections.Remove(connection);
        }
    }

    private async Task AnswerAsync(HttpContext context, EventsRequest request, Subscription subscription, Connection connection)
    {
        using var events = new PooledBuffer(1024);
        var page = new Page(request, subscription.Told, events);
        await CollectAsync(page, subscription, connection, request.Wait, context.RequestAborted);
        metrics.Sent(Transport, page.Count);
        var bound = new WriteBound(context, options.Value.WriteTimeout, services.Time);
        await Describe(page, subscription).WriteAsync(context.Response, events, bound, context.RequestAborted);
    }

    private async Task CollectAsync(
        Page page, Subscription subscription, Connection connection, TimeSpan wait, CancellationToken cancellationToken)
    {
        var settleUntil = services.Time.After(options.Value.LogTimeout);
        var waitUntil = services.Time.After(wait);
        while (!page.IsFull)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var step = subscription.Poll(page.Room, page.RoomBytes);
            if (step.Kind != StepKind.Wait)
            {
                page.Take(step);
                continue;
            }

            var until = Math.Min(Until(page, settleUntil, waitUntil), connection.DrainAt);
            if (until <= services.Time.GetTimestamp())
            {
                return;
            }

            await connection.Signal.WaitAsync(Math.Min(until, subscription.RetryAt));
        }
    }

    // What is there is not held back for what may come; only the log, where it still has to tell, is waited for.
    private long Until(Page page, long settleUntil, long waitUntil)
    {
        var settled = page.IsLive || services.Degradation.IsLogAway;
        return page.IsWorthAnswering ? (settled ? 0 : settleUntil)
            : settled ? waitUntil : Math.Max(settleUntil, waitUntil);
    }

    private EventsPage Describe(Page page, Subscription subscription)
    {
        var head = subscription.Head;
        return new EventsPage
        {
            After = page.After?.ToString(),
            Cursor = subscription.Told?.ToString(),
            Head = head?.ToString(),
            Resume = page.Reason is not null ? ResumeKinds.Reset
                : head is not null && head == subscription.Told ? ResumeKinds.Live : ResumeKinds.Replaying,
            Reason = page.Reason,
            Degraded = subscription.IsLogUnread
                ? services.Degradation.CurrentAnd(Degradation.Log)
                : services.Degradation.Current,
        };
    }

    /// <summary>An answer while it is collected.</summary>
    private sealed class Page
    {
        private readonly EventsRequest _request;
        private readonly PooledBuffer _events;
        private long _bytes;

        public Page(EventsRequest request, Cursor? told, PooledBuffer events)
        {
            (_request, After, _events) = (request, told, events);
            _events.Write(EventsPage.Start);
        }

        public int Count { get; private set; }

        public Cursor? After { get; private set; }

        public string? Reason { get; private set; }

        public int Room => _request.Limit - Count;

        public int RoomBytes => (int)Math.Max(1, PageBytes - _bytes);

        public bool IsFull => Room == 0 || _bytes >= PageBytes;

        public bool IsLive { get; private set; }

        /// <summary>Whether there is something to say. Who gave no cursor wants to know the head, not to wait.</summary>
        public bool IsWorthAnswering => Count > 0 || Reason is not null || (_request.Start is null && _request.Client is null);

        public void Take(Step step)
        {
            switch (step.Kind)
            {
                case StepKind.Events:
                    After ??= step.After;
                    if (Count > 0)
                    {
                        _events.Write(","u8);
                    }

                    EventWriter.WriteEvents(_events, step);
                    Count += step.Bodies.Count;
                    _bytes = _events.Written.Length;
                    break;
                case StepKind.Live:
                    After ??= step.Cursor;
                    IsLive = true;
                    break;
                case StepKind.Reset:
                    _events.Clear();
                    _events.Write(EventsPage.Start);
                    (Count, _bytes, IsLive) = (0, 0, false);
                    (After, Reason) = (step.Cursor, step.Reason);
                    break;
            }
        }
    }
}

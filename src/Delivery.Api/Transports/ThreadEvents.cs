using System.Buffers;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>One thread's part of the stream, from the log. Without a cursor it starts at the oldest kept event.</summary>
internal sealed class ThreadEvents(
    Connections connections, LogReplay replay, Degradation degradation, DeliveryMetrics metrics, IOptions<FeedOptions> options, TimeProvider time)
{
    public async Task RunAsync(HttpContext context, Caller caller, string thread)
    {
        var request = EventsRequest.Read(context.Request);
        using var connection = new Connection(caller, client: null, time);
        if (connections.TryAdd(connection, replaces: false) is { } full)
        {
            await Problem.Unavailable(full).ExecuteAsync(context);
            return;
        }

        try
        {
            await AnswerAsync(context, caller.Stream, thread, request);
        }
        finally
        {
            connections.Remove(connection);
        }
    }

    private async Task AnswerAsync(HttpContext context, StreamKey stream, string thread, EventsRequest request)
    {
        var start = request.Start ?? Cursor.Oldest;
        var page = await ReadAsync(start.Position);
        string? reason = null;
        if (page is not null && (reason = WhyReset(stream, start, page.Head)) is not null && start.Position > page.Head.Trimmed)
        {
            page = await ReadAsync(page.Head.Trimmed);
        }

        using var events = new PooledBuffer(1024);
        events.Write(EventsPage.Start);
        var answer = page is null ? Unread(request.Start) : Describe(stream, request.Start, page, reason, events);
        var bound = new WriteBound(context, options.Value.WriteTimeout, time);
        await answer.WriteAsync(context.Response, events, bound, context.RequestAborted);

        Task<LogPage?> ReadAsync(long after) => replay.ReadThreadAsync(
            stream, thread, after, request.Limit, JsonTransport.PageBytes, context.RequestAborted);
    }

    private EventsPage Describe(StreamKey stream, Cursor? given, LogPage page, string? reason, PooledBuffer events)
    {
        var start = given ?? Cursor.Oldest;
        var epoch = EpochOf(stream, page.Head);
        var first = new Cursor(epoch, page.Head.Trimmed);
        Write(events, epoch, page.Events);
        metrics.Sent("json", page.Events.Count);
        var cursor = new Cursor(epoch, Math.Max(page.Scanned, reason is null && !start.IsOldest ? start.Position : first.Position));
        return new EventsPage
        {
            After = (reason is not null ? first : given ?? first).ToString(),
            Cursor = cursor.ToString(),
            Head = new Cursor(epoch, page.Head.Head).ToString(),
            Resume = reason is not null ? ResumeKinds.Reset
                : cursor.Position >= page.Head.Head ? ResumeKinds.Live : ResumeKinds.Replaying,
            Reason = reason,
            Degraded = degradation.Current,
        };
    }

    private static string EpochOf(StreamKey stream, StreamHead head) => Epoch.Of(head.Generation, stream, head.Incarnation);

    private static string? WhyReset(StreamKey stream, Cursor start, StreamHead head) =>
        start.IsOldest ? null
        : start.Epoch != EpochOf(stream, head) ? ResetReasons.Epoch
        : start.Position > head.Head ? ResetReasons.Future
        : start.Position < head.Trimmed ? ResetReasons.Expired
        : null;

    private static void Write(PooledBuffer output, string epoch, IReadOnlyList<LogEvent> events)
    {
        for (var i = 0; i < events.Count; i++)
        {
            if (i > 0)
            {
                output.Write(","u8);
            }

            EventWriter.WriteEvent(output, epoch, events[i].Position, events[i].Body.Span);
        }
    }

    private EventsPage Unread(Cursor? start) => new()
    {
        After = start?.ToString(),
        Cursor = start?.ToString(),
        Head = null,
        Resume = ResumeKinds.Replaying,
        Degraded = degradation.CurrentAnd(Degradation.Log),
    };
}

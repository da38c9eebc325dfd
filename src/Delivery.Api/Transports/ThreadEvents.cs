using System.Buffers;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>One thread's part of the stream, from the log. Without a cursor it starts at the oldest kept event.</summary>
internal sealed class ThreadEvents(LogReplay replay, Degradation degradation, DeliveryMetrics metrics)
{
    public async Task RunAsync(HttpContext context, StreamKey stream, string thread)
    {
        var request = EventsRequest.Read(context.Request);
        var start = request.Start ?? Cursor.Oldest;
        var page = await ReadAsync(start.Position);
        string? reason = null;
        if (page is not null && (reason = WhyReset(stream, start, page.Head)) is not null && start.Position > page.Head.Trimmed)
        {
            page = await ReadAsync(page.Head.Trimmed);
        }

        if (page is null)
        {
            await WriteUnreadAsync(context, request.Start);
            return;
        }

        var epoch = EpochOf(stream, page.Head);
        var first = new Cursor(epoch, page.Head.Trimmed);
        using var events = new PooledBuffer(1024);
        Write(events, epoch, page.Events);
        metrics.Sent("json", page.Events.Count);
        var cursor = new Cursor(epoch, Math.Max(page.Scanned, reason is null && !start.IsOldest ? start.Position : first.Position));
        var answer = new EventsPage
        {
            After = (reason is not null ? first : request.Start ?? first).ToString(),
            Cursor = cursor.ToString(),
            Head = new Cursor(epoch, page.Head.Head).ToString(),
            Resume = reason is not null ? ResumeKinds.Reset
                : cursor.Position >= page.Head.Head ? ResumeKinds.Live : ResumeKinds.Replaying,
            Reason = reason,
            Degraded = degradation.Current,
        };
        await answer.WriteAsync(context.Response, events.Written, context.RequestAborted);

        Task<LogPage?> ReadAsync(long after) => replay.ReadThreadAsync(
            stream, thread, after, request.Limit, JsonTransport.PageBytes, context.RequestAborted);
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

    private Task WriteUnreadAsync(HttpContext context, Cursor? start) => new EventsPage
    {
        After = start?.ToString(),
        Cursor = start?.ToString(),
        Head = null,
        Resume = ResumeKinds.Replaying,
        Degraded = [.. degradation.Current.Append(Degradation.Log).Distinct().Order(StringComparer.Ordinal)],
    }.WriteAsync(context.Response, default, context.RequestAborted);
}

using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

internal static class LogPages
{
    /// <summary>The bodies of a page's events, which are contiguous.</summary>
    public static ReadOnlyMemory<byte>[] Bodies(this LogPage page)
    {
        var bodies = new ReadOnlyMemory<byte>[page.Events.Count];
        for (var i = 0; i < bodies.Length; i++)
        {
            bodies[i] = page.Events[i].Body;
        }

        return bodies;
    }

    /// <summary>Parts a page: what one frame takes, one event at least, and what is left; null for nothing.</summary>
    public static (LogPage Frame, LogPage? Left) Cut(this LogPage page, int limit, int maxBytes)
    {
        var count = FrameCut.Count(page.Events, 0, static e => e.Body.Length, limit, maxBytes);
        return count == page.Events.Count
            ? (page, null)
            : (page with { Events = [.. page.Events.Take(count)] }, page with { Events = [.. page.Events.Skip(count)] });
    }
}

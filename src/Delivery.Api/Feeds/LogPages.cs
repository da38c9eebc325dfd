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
}

using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

internal static class LogPages
{
    /// <summary>The bodies of a page's events, or null: they do not follow one another from behind this position.</summary>
    public static ReadOnlyMemory<byte>[]? BodiesAfter(this LogPage page, long position)
    {
        var bodies = new ReadOnlyMemory<byte>[page.Events.Count];
        for (var i = 0; i < bodies.Length; i++)
        {
            if (page.Events[i].Position != position + i + 1)
            {
                return null;
            }

            bodies[i] = page.Events[i].Body;
        }

        return bodies;
    }
}

namespace Pipeline.Delivery.Api;

/// <summary>What one frame takes of events that are there.</summary>
internal static class FrameCut
{
    /// <summary>How many, from one on: at most so many and so many bytes of bodies, one at least where there is one.</summary>
    public static int Count<T>(IReadOnlyList<T> events, int start, Func<T, int> bytesOf, int limit, long maxBytes)
    {
        var count = 0;
        for (long bytes = 0; start + count < events.Count && count < limit; count++)
        {
            bytes += bytesOf(events[start + count]);
            if (bytes > maxBytes && count > 0)
            {
                break;
            }
        }

        return count;
    }
}

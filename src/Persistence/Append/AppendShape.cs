using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What is wrong with one append whatever the log holds.</summary>
internal static class AppendShape
{
    public static void Check(IReadOnlyList<NewEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (events.Count is 0 or > Limits.PageEvents)
        {
            throw new InvalidEventException("events", $"are {events.Count}; append 1 to {Limits.PageEvents} at once");
        }

        var seen = new HashSet<(StreamKey, Guid)>(events.Count);
        if (events.FirstOrDefault(e => !seen.Add((e.Stream, e.Id))) is { } twice)
        {
            throw new InvalidEventException("id", $"{twice.Id} appears twice in one append; give every event its own");
        }
    }
}

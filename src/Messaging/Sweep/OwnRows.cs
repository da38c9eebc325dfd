namespace Pipeline.Messaging;

/// <summary>
/// Finds own outbox rows that nobody in this process holds: the reply to a COMMIT was lost, a DELETE failed, or the
/// hand-over was full. A row counts as forgotten when it was seen unheld <paramref name="age"/> ago and still is. Pure.
/// </summary>
internal sealed class OwnRows(TimeProvider time, TimeSpan age)
{
    private readonly SortedDictionary<long, long> _seen = [];

    /// <summary>Takes in a reading of the rows in a span of ids and returns those that are forgotten.</summary>
    /// <param name="after">The span begins behind this id.</param>
    /// <param name="last">Its last id.</param>
    public IReadOnlyList<long> Observe(IReadOnlyList<long> ids, long after, long last, Func<long, bool> isHeld)
    {
        var now = time.GetTimestamp();
        var unheld = ids.Where(id => !isHeld(id)).ToHashSet();
        foreach (var id in _seen.Keys.Where(id => id > after && id <= last && !unheld.Contains(id)).ToList())
        {
            _seen.Remove(id);
        }

        foreach (var id in unheld)
        {
            _seen.TryAdd(id, now);
        }

        return [.. unheld.Where(id => time.GetElapsedTime(_seen[id], now) >= age).Order()];
    }
}

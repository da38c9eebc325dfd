namespace Pipeline.Messaging;

/// <summary>
/// Finds own outbox rows that nobody in this process holds: the reply to a COMMIT was lost, a DELETE failed, or the
/// hand-over was full. A row counts as forgotten when it was seen unheld <paramref name="age"/> ago and still is. Pure.
/// </summary>
internal sealed class OwnRows(TimeProvider time, TimeSpan age)
{
    private Dictionary<long, long> _seen = [];

    /// <summary>Takes in a reading of the rows and returns those that are forgotten.</summary>
    public IReadOnlyList<long> Observe(IReadOnlyList<long> ids, Func<long, bool> isHeld)
    {
        var now = time.GetTimestamp();
        var seen = new Dictionary<long, long>();
        var forgotten = new List<long>();
        foreach (var id in ids.Where(id => !isHeld(id)))
        {
            seen[id] = _seen.GetValueOrDefault(id, now);
            if (time.GetElapsedTime(seen[id], now) >= age)
            {
                forgotten.Add(id);
            }
        }

        _seen = seen;
        return forgotten;
    }
}

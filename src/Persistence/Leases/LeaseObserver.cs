namespace Pipeline.Persistence;

/// <summary>
/// Decides when a lease has expired: its counter was seen unchanged for its length on this process's monotonic clock,
/// while the observations themselves went on. Observations that failed (a database outage) expire nobody: after a gap
/// longer than <paramref name="maxGap"/> the watch starts over. Pure; one thread at a time.
/// </summary>
/// <param name="maxGap">Longest pause between two readings; shorter than any lease, or none ever expires.</param>
public sealed class LeaseObserver<TKey>(TimeProvider time, TimeSpan maxGap)
    where TKey : notnull
{
    private Dictionary<TKey, (long Counter, long Since)> _watched = [];
    private long? _last;

    /// <summary>Starts the watch over: a reading was missed, or nobody could have renewed.</summary>
    public void Restart() => _watched.Clear();

    /// <summary>
    /// Takes in one complete reading of all leases and returns those that have expired, again with every reading until
    /// their counter moves or they are gone.
    /// </summary>
    public IReadOnlyList<TKey> Observe(IReadOnlyCollection<ObservedLease<TKey>> leases)
    {
        ArgumentNullException.ThrowIfNull(leases);
        var now = time.GetTimestamp();
        if (_last is { } last && time.GetElapsedTime(last, now) > maxGap)
        {
            Restart();
        }

        _last = now;
        var watched = new Dictionary<TKey, (long Counter, long Since)>(leases.Count);
        var expired = new List<TKey>();
        foreach (var lease in leases)
        {
            var since = _watched.TryGetValue(lease.Key, out var seen) && seen.Counter == lease.Counter ? seen.Since : now;
            watched[lease.Key] = (lease.Counter, since);
            if (time.GetElapsedTime(since, now) >= lease.Length)
            {
                expired.Add(lease.Key);
            }
        }

        _watched = watched;
        return expired;
    }
}

/// <param name="Counter">The holder's counter as read; it rises with every renewal.</param>
/// <param name="Length">Above zero.</param>
public readonly record struct ObservedLease<TKey>(TKey Key, long Counter, TimeSpan Length);

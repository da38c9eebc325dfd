namespace Pipeline.Persistence;

/// <summary>
/// Decides when a lease has expired: its counter was seen unchanged for its length on this process's monotonic clock,
/// while the observations themselves went on. Observations that failed (a database outage) expire nobody: after a gap
/// longer than <paramref name="maxGap"/> the watch starts over. Pure; one thread at a time.
/// </summary>
public sealed class LeaseObserver<TKey>(TimeProvider time, TimeSpan maxGap)
    where TKey : notnull
{
    private readonly TimeProvider _time = time;
    private readonly TimeSpan _maxGap = maxGap;

    /// <summary>Takes in one complete reading of all leases and returns those that have expired.</summary>
    public IReadOnlyList<TKey> Observe(IReadOnlyCollection<ObservedLease<TKey>> leases) => throw new NotImplementedException();
}

/// <param name="Counter">The holder's counter as read; it rises with every renewal.</param>
public readonly record struct ObservedLease<TKey>(TKey Key, long Counter, TimeSpan Length);

namespace Pipeline.Delivery.Api;

/// <summary>
/// Counts each relay's pages and beacons, and tells when something was, or may have been, missed. Thread-safe.
/// </summary>
internal sealed class RelayWatch(TimeProvider time)
{
    /// <summary>A relay beacons every 500 ms: silence for longer than this means that its pages do not get here.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(1200);

    private readonly Dictionary<Guid, Seen> _relays = [];
    private readonly Dictionary<Guid, long> _unheardSince = [];
    private readonly HashSet<Guid> _gone = [];
    private readonly Lock _lock = new();

    /// <summary>Takes in a page, or a beacon: a page without streams, which repeats the last number.</summary>
    /// <returns>True: pages of this relay were missed; re-read the heads.</returns>
    public bool Observe(Guid relay, long number, bool isBeacon, bool goodbye)
    {
        lock (_lock)
        {
            var last = _relays.TryGetValue(relay, out var seen) ? seen.Number : 0;
            var missed = number > (isBeacon ? last : last + 1);
            if (goodbye)
            {
                _relays.Remove(relay);
                _gone.Add(relay);
            }
            else
            {
                _relays[relay] = new Seen(Math.Max(number, last), time.GetTimestamp());
                _gone.Remove(relay);
            }

            return missed;
        }
    }

    /// <summary>
    /// Whether a relay is silent that neither said goodbye nor lost its lease: one that was heard, or one of a process that
    /// is known by its lease alone. The dead are forgotten, and count once more: their last page may have been lost with them.
    /// </summary>
    /// <param name="known">Processes with a relay that have a lease; empty while that was never read.</param>
    /// <param name="expired">Those of them whose lease has expired.</param>
    public bool IsAnySilent(IReadOnlyCollection<Guid> known, IReadOnlyCollection<Guid> expired)
    {
        ArgumentNullException.ThrowIfNull(known);
        ArgumentNullException.ThrowIfNull(expired);
        lock (_lock)
        {
            var silent = _relays.Where(relay => IsLong(relay.Value.At)).Select(relay => relay.Key).ToList();
            foreach (var relay in silent.Where(relay => expired.Contains(relay) || (known.Count > 0 && !known.Contains(relay))))
            {
                _relays.Remove(relay);
            }

            return silent.Count > 0 | IsAnyUnheard(known, expired);
        }
    }

    private bool IsAnyUnheard(IReadOnlyCollection<Guid> known, IReadOnlyCollection<Guid> expired)
    {
        _gone.IntersectWith(known);
        var unheard = known.Where(relay => !_relays.ContainsKey(relay) && !_gone.Contains(relay) && !expired.Contains(relay)).ToHashSet();
        foreach (var relay in _unheardSince.Keys.Where(relay => !unheard.Contains(relay)).ToList())
        {
            _unheardSince.Remove(relay);
        }

        foreach (var relay in unheard)
        {
            _unheardSince.TryAdd(relay, time.GetTimestamp());
        }

        return _unheardSince.Values.Any(IsLong);
    }

    private bool IsLong(long since) => time.GetElapsedTime(since) > Silence;

    private readonly record struct Seen(long Number, long At);
}

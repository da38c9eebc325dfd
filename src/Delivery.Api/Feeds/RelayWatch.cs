namespace Pipeline.Delivery.Api;

/// <summary>
/// Counts each relay's pages and beacons, and tells when something was, or may have been, missed. Thread-safe.
/// </summary>
internal sealed class RelayWatch(TimeProvider time)
{
    /// <summary>A relay beacons every second: longer silence means that its pages do not get here.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    private readonly Dictionary<Guid, Seen> _relays = [];
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
            }
            else
            {
                _relays[relay] = new Seen(Math.Max(number, last), time.GetTimestamp());
            }

            return missed;
        }
    }

    /// <summary>
    /// Whether a relay is silent that neither said goodbye nor, by <paramref name="leaseLost"/>, is dead. The dead are forgotten.
    /// </summary>
    public bool IsAnySilent(Func<Guid, bool> leaseLost)
    {
        ArgumentNullException.ThrowIfNull(leaseLost);
        lock (_lock)
        {
            var silent = _relays
                .Where(relay => time.GetElapsedTime(relay.Value.At) > Silence)
                .Select(relay => relay.Key)
                .ToList();
            foreach (var relay in silent.Where(leaseLost))
            {
                _relays.Remove(relay);
            }

            return silent.Exists(_relays.ContainsKey);
        }
    }

    private readonly record struct Seen(long Number, long At);
}

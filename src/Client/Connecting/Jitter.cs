namespace Pipeline.Client;

/// <summary>
/// Full jitter: anywhere between nothing and a bound that doubles with each failure, so that many clients cut off at once don't come
/// back at once. Thread-safe.
/// </summary>
internal sealed class Jitter(Random random)
{
    private const int MostDoublings = 16;
    private static readonly TimeSpan Base = TimeSpan.FromSeconds(0.5);
    private readonly Lock _lock = new();

    /// <param name="failures">So far in a row, from 0.</param>
    public TimeSpan Next(int failures, TimeSpan cap)
    {
        var bound = Base * Math.Pow(2, Math.Min(failures, MostDoublings));
        lock (_lock)
        {
            return (bound < cap ? bound : cap) * random.NextDouble();
        }
    }
}

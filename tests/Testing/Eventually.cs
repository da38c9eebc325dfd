using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>Waits for a named condition, with a bound; the only way a test waits.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    // A pause that took so much longer than asked for: the machine stood still, and nothing could be done in that time.
    private static readonly TimeSpan Standstill = TimeSpan.FromMilliseconds(500);

    /// <summary>Polls until the condition holds.</summary>
    /// <exception cref="TimeoutException">It did not within the bound; names the condition and its last failure.</exception>
    public static async Task HoldsAsync(string condition, Func<Task<bool>> holds, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var bound = within ?? TimeSpan.FromSeconds(20);
        var clock = Stopwatch.StartNew();
        var stoodStill = TimeSpan.Zero;
        while (true)
        {
            var isLast = clock.Elapsed - stoodStill >= bound;
            Exception? failure = null;
            try
            {
                if (await holds())
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                failure = exception;
            }

            if (isLast)
            {
                throw new TimeoutException($"'{condition}' did not hold within {bound.TotalSeconds:0.#} s", failure);
            }

            var since = clock.Elapsed;
            await Task.Delay(Pause);
            var paused = clock.Elapsed - since;
            stoodStill += paused > Standstill ? paused : TimeSpan.Zero;
        }
    }

    /// <inheritdoc cref="HoldsAsync(string, Func{Task{bool}}, TimeSpan?)"/>
    public static Task HoldsAsync(string condition, Func<bool> holds, TimeSpan? within = null) =>
        HoldsAsync(condition, () => Task.FromResult(holds()), within);
}

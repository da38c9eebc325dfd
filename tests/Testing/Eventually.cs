using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>Waits for a named condition, with a bound; the only way a test waits.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    // A pause that took so much longer than asked for: the machine stood still.
    private static readonly TimeSpan Standstill = TimeSpan.FromMilliseconds(500);

    /// <summary>Polls until the condition holds.</summary>
    /// <param name="within">What is promised. Null: nothing is, and time in which the machine stood still does not count.</param>
    /// <exception cref="TimeoutException">It did not within the bound; names the condition and its last failure.</exception>
    public static async Task HoldsAsync(string condition, Func<Task<bool>> holds, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var bound = within ?? Patience;
        var clock = Stopwatch.StartNew();
        var stoodStill = TimeSpan.Zero;
        Exception? failure = null;
        for (var isLast = false; ;)
        {
            try
            {
                if (await holds())
                {
                    return;
                }

                failure = null;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                failure = exception;
            }

            if (isLast)
            {
                break;
            }

            var since = clock.Elapsed;
            await Task.Delay(Pause);
            var paused = clock.Elapsed - since;
            stoodStill += within is null && paused > Standstill ? paused : TimeSpan.Zero;
            isLast = clock.Elapsed - stoodStill >= bound;
        }

        throw new TimeoutException($"'{condition}' did not hold within {bound.TotalSeconds:0.#} s", failure);
    }

    /// <inheritdoc cref="HoldsAsync(string, Func{Task{bool}}, TimeSpan?)"/>
    public static Task HoldsAsync(string condition, Func<bool> holds, TimeSpan? within = null) =>
        HoldsAsync(condition, () => Task.FromResult(holds()), within);
}

using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>Waits for a named condition, with a bound; the only way a test waits.</summary>
public static class Eventually
{
    /// <summary>Polls until the condition holds.</summary>
    /// <exception cref="TimeoutException">It did not within the bound; names the condition and its last failure.</exception>
    public static async Task HoldsAsync(string condition, Func<Task<bool>> holds, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var bound = within ?? TimeSpan.FromSeconds(20);
        var clock = Stopwatch.StartNew();
        Exception? last = null;
        while (clock.Elapsed < bound)
        {
            try
            {
                if (await holds())
                {
                    return;
                }

                last = null;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                last = exception;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"'{condition}' did not hold within {bound.TotalSeconds:0.#} s", last);
    }

    /// <inheritdoc cref="HoldsAsync(string, Func{Task{bool}}, TimeSpan?)"/>
    public static Task HoldsAsync(string condition, Func<bool> holds, TimeSpan? within = null) =>
        HoldsAsync(condition, () => Task.FromResult(holds()), within);
}

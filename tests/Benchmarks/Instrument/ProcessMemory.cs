using System.Globalization;

namespace Pipeline.Benchmarks;

/// <summary>Memory of a process, from <c>/proc</c>.</summary>
internal static class ProcessMemory
{
    private const double Steady = 0.01;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>What it holds in RAM, in KB, once that no longer changes: the heap with the garbage in it, and all that is not heap.</summary>
    public static async Task<double> SettledAsync(int process)
    {
        var (before, now) = (0.0, await ResidentAsync(process));
        while (Math.Abs(now - before) > now * Steady)
        {
            await Task.Delay(Pause);
            (before, now) = (now, await ResidentAsync(process));
        }

        return now;
    }

    private static async Task<double> ResidentAsync(int process)
    {
        var lines = await File.ReadAllLinesAsync($"/proc/{process}/status");
        return double.Parse(lines.First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))[6..^2], CultureInfo.InvariantCulture);
    }
}

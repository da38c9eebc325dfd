using System.Globalization;

namespace Pipeline.Benchmarks;

/// <summary>Memory of a process, from <c>/proc</c>.</summary>
internal static class ProcessMemory
{
    /// <summary>What it holds in RAM, in KB: the heap with the garbage in it, and all that is not heap.</summary>
    public static async Task<double> ResidentAsync(int process)
    {
        var lines = await File.ReadAllLinesAsync($"/proc/{process}/status");
        return double.Parse(lines.First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))[6..^2], CultureInfo.InvariantCulture);
    }
}

using System.Globalization;

namespace Pipeline.Benchmarks;

/// <summary>CPU seconds of processes and their children, from <c>/proc</c>.</summary>
internal sealed class CpuMeter(IReadOnlyList<(string Name, int Process)> processes)
{
    private const double TicksPerSecond = 100;
    private Dictionary<string, double> _begun = [];

    public void Begin() => _begun = Read();

    /// <summary>Seconds since <see cref="Begin"/>, by name.</summary>
    public Dictionary<string, double> End() =>
        Read().ToDictionary(now => now.Key, now => Math.Round(now.Value - _begun.GetValueOrDefault(now.Key), 2));

    private Dictionary<string, double> Read()
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .Where(name => int.TryParse(name, out _)).Select(name => int.Parse(name!, CultureInfo.InvariantCulture))
            .Select(process => (Process: process, Stat: Stat(process))).Where(known => known.Stat is not null).ToList();
        var seconds = new Dictionary<string, double>();
        foreach (var (name, process) in processes)
        {
            // Children that were waited for are in the parent's own count of children.
            var ticks = all.Where(p => p.Process == process).Sum(p => p.Stat![11] + p.Stat[12] + p.Stat[13] + p.Stat[14])
                + all.Where(p => p.Stat![1] == process).Sum(p => p.Stat![11] + p.Stat[12]);
            seconds[name] = seconds.GetValueOrDefault(name) + (ticks / TicksPerSecond);
        }

        return seconds;
    }

    /// <summary>The fields of <c>/proc/N/stat</c> from the third (state, as 0) on; null: it is gone.</summary>
    private static long[]? Stat(int process)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            return [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Select(field => long.TryParse(field, out var value) ? value : 0)];
        }
        catch (IOException)
        {
            return null;
        }
    }
}

namespace Pipeline.Benchmarks;

/// <summary>Prints figures as they come, one a line.</summary>
internal static class Report
{
    public static void Line(string scenario, double figure, string unit) =>
        Console.WriteLine($"{scenario,-52}{figure,12:N1}  {unit}");

    public static void Percentiles(string scenario, List<double> milliseconds)
    {
        milliseconds.Sort();
        foreach (var (name, share) in new[] { ("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999) })
        {
            Line($"{scenario}, {name}", milliseconds[(int)(milliseconds.Count * share)], "ms");
        }
    }
}

using System.Globalization;

namespace Pipeline.Faults.Tests;

/// <summary>The long run on the command line: <c>storm --minutes N --seed S</c>.</summary>
internal static class StormCommand
{
    /// <returns>0 with no violation, 1 with some, 2 for a wrong option.</returns>
    public static async Task<int> RunAsync(string[] options)
    {
        var (minutes, seed) = (5.0, (int)(TimeProvider.System.GetUtcNow().Ticks % 1_000_000));
        for (var i = 0; i < options.Length; i += 2)
        {
            var value = options.ElementAtOrDefault(i + 1);
            if (options[i] == "--minutes" && double.TryParse(value, CultureInfo.InvariantCulture, out var m) && m > 0)
            {
                minutes = m;
            }
            else if (options[i] == "--seed" && int.TryParse(value, CultureInfo.InvariantCulture, out var s))
            {
                seed = s;
            }
            else
            {
                await Console.Error.WriteLineAsync($"'{options[i]} {value}' is no option; they are --minutes N (more than 0) and --seed S (a whole number)");
                return 2;
            }
        }

        Console.WriteLine($"seed {seed}, {minutes:0.##} minutes; the same seed gives the same faults in the same order");
        var verdict = await Storm.RunAsync(TimeSpan.FromMinutes(minutes), seed, Console.WriteLine);
        foreach (var violation in verdict.Violations.Take(50))
        {
            Console.WriteLine($"VIOLATION {violation}");
        }

        Console.WriteLine($"{verdict.Deliveries} deliveries, {verdict.Recovered} events recovered after an unknown outcome");
        Console.WriteLine(verdict);
        return verdict.Violations.Count == 0 ? 0 : 1;
    }
}

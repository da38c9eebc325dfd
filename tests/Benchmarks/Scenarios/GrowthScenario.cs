namespace Pipeline.Benchmarks;

/// <summary>
/// What an event costs as something grows, at the same calm rate: each row next to the first of its series, whose ratio is 1 where
/// it costs nothing to be larger.
/// </summary>
internal abstract class GrowthScenario : Scenario
{
    protected const double PerSecond = 1_000;

    /// <summary>For how long each size is measured.</summary>
    protected static double Seconds(Stage stage) => stage.Pick(15, 1);

    /// <summary>As fast as it goes, for code that is busy to be compiled again; then at the rate that is measured, until that is done.</summary>
    protected static async Task WarmAsync(Stage stage, RoleProcess producer, RoleProcess screens, AppendLoad load)
    {
        await DeliverAsync(producer, screens, load with { Seconds = stage.Pick(5, 1), PerSecond = null });
        await DeliverAsync(producer, screens, load with { Seconds = stage.Pick(10, 1) });
    }

    /// <summary>Appends to the users' streams, until all that has come to their screens.</summary>
    protected static async Task<Delivered> DeliverAsync(RoleProcess producer, RoleProcess screens, AppendLoad load)
    {
        var appended = await producer.AskAsync<Appended>(load);
        return new Delivered(appended.Events, (await screens.AskAsync<Received>(new AwaitEvents(load.Prefix, appended.Heads, 60))).Verdict);
    }

    /// <summary>Without the screens: those are not ours to pay.</summary>
    protected static double Microseconds(Costs costs, long events) =>
        costs.Cpu.Where(process => process.Key != Screens.Name).Sum(process => process.Value) * 1e6 / events;

    protected static IEnumerable<Figure> Series(IEnumerable<(string Name, double Microseconds)> rows)
    {
        (string Name, double Microseconds)? first = null;
        foreach (var row in rows)
        {
            first ??= row;
            yield return new Figure(row.Name, row.Microseconds, "µs") { Reference = first.Value.Microseconds, Against = "first of the series" };
        }
    }

    protected sealed record Delivered(long Events, Verdict Verdict);
}

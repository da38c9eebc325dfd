namespace Pipeline.Benchmarks;

/// <summary>One line of the table: the median over the runs, and how far they lie apart.</summary>
/// <param name="Value">Null: void, for something was lost, doubled or out of order.</param>
/// <param name="Ratio">Median of figure by reference, run by run; null where the reference is nothing.</param>
/// <param name="Spread">Largest less smallest figure, by the median.</param>
internal sealed record Row(
    string Name, string Unit, double? Value, double? Reference, string? Against, double? Ratio, double Spread, int Runs, Verdict Verdict, Costs Costs)
{
    public static IEnumerable<Row> Of(IReadOnlyList<Sample> runs)
    {
        var verdict = runs.Aggregate(default(Verdict), (sum, run) => sum + run.Verdict);
        foreach (var (index, first) in runs[0].Figures.Index())
        {
            var figures = runs.Select(run => run.Figures[index]).ToList();
            var values = figures.Select(figure => figure.Value).ToList();
            var hasReference = first.Reference is not null;
            yield return new Row(
                first.Name,
                first.Unit,
                verdict.IsClean ? Median(values) : null,
                hasReference ? Median(figures.Select(figure => figure.Reference!.Value)) : null,
                hasReference ? Told(figures) : null,
                hasReference ? Finite(Median(figures.Select(figure => figure.Value / figure.Reference!.Value))) : null,
                Finite((values.Max() - values.Min()) / Median(values)) ?? 0,
                runs.Count,
                verdict,
                Typical(runs, values));
        }
    }

    // Of nothing there is no ratio: a bare server may take no CPU that the system counts.
    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static string Told(List<Figure> figures)
    {
        var against = string.Join(" / ", figures.Select(figure => figure.Against).Distinct());
        var verdict = figures.Aggregate(default(Verdict), (sum, figure) => sum + figure.AgainstVerdict);
        return verdict.IsClean ? against : $"{against} ({verdict})";
    }

    // Of the run whose figure is the median.
    private static Costs Typical(IReadOnlyList<Sample> runs, List<double> values) =>
        runs[values.Index().OrderBy(value => value.Item).ElementAt(values.Count / 2).Index].Costs;

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count % 2 == 1
            ? sorted[sorted.Count / 2]
            : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }
}

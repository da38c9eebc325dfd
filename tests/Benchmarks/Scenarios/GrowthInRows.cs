namespace Pipeline.Benchmarks;

/// <summary>With up to 10 million events of others in the log already; 200 users on two nodes.</summary>
internal sealed class GrowthInRows : GrowthScenario
{
    private const int Users = 200;
    private const int PerStream = 1_000;

    public override string Name => "growth-rows";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users));
        var load = new AppendLoad("user", Users, Users, Unit: 10, Seconds(stage), PerSecond);
        await WarmAsync(stage, producer, screens, load);

        var (rows, verdict, costs, filled) = (new List<(string, double)>(), default(Verdict), default(Costs), 0);
        foreach (var streams in stage.Pick<int[]>([0, 1_000, 10_000], [0, 100]))
        {
            await LogFill.RunAsync(stage, "filled", filled, streams - filled, PerStream);
            filled = streams;
            Delivered run = null!;
            costs = await stage.MeasureAsync(async () => run = await DeliverAsync(producer, screens, load));
            verdict += run.Verdict;
            rows.Add(($"CPU per event, rows in the log: {streams * PerStream:N0}", Microseconds(costs, run.Events)));
        }

        return new Sample([.. Series(rows)], verdict, costs!);
    }
}

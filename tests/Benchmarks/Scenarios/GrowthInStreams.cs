namespace Pipeline.Benchmarks;

/// <summary>
/// From 100 to 100,000 streams on two nodes. Half of the events go to 50 users with a screen, half are spread over all the others,
/// who have none: so the same number is delivered whatever the number of streams.
/// </summary>
internal sealed class GrowthInStreams : GrowthScenario
{
    private const int Users = 50;
    private const int PerStream = 1;

    public override string Name => "growth-streams";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (producer, crowd, screens) = (stage.Start<Producer>(), stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users));
        var load = new AppendLoad("user", Users, Users, Unit: 1, Seconds(stage), PerSecond / 2);
        await Task.WhenAll(
            WarmAsync(stage, producer, screens, load),
            crowd.AskAsync<Appended>(load with { Prefix = "warm", Seconds = stage.Pick(15, 1) }));

        var (rows, verdict, costs) = (new List<(string, double)>(), default(Verdict), default(Costs));
        foreach (var streams in stage.Pick<int[]>([100, 1_000, 10_000, 100_000], [100, 10_000]))
        {
            var others = load with { Prefix = $"crowd-{streams}", Streams = streams - Users, Head = PerStream };
            await LogFill.RunAsync(stage, others.Prefix, 0, others.Streams, PerStream);
            Appended unseen = null!;
            Delivered seen = null!;
            costs = await stage.MeasureAsync(async () =>
            {
                var appending = crowd.AskAsync<Appended>(others);
                seen = await DeliverAsync(producer, screens, load);
                unseen = await appending;
            });
            verdict += seen.Verdict + await LogCheck.RunAsync(stage, others.Prefix, unseen.Heads);
            rows.Add(($"CPU per event, streams: {streams:N0}", Microseconds(costs, seen.Events + unseen.Events)));
        }

        return new Sample([.. Series(rows)], verdict, costs!);
    }
}

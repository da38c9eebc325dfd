namespace Pipeline.Benchmarks;

/// <summary>From one node to eight, over which the same 200 users are spread.</summary>
internal sealed class GrowthInNodes : GrowthScenario
{
    private const int Users = 200;

    public override string Name => "growth-nodes";

    public override int Nodes => 1;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        var load = new AppendLoad("user", Users, Users, Unit: 10, Seconds(stage), PerSecond);
        var (total, perNode) = (new List<(string, double)>(), new List<(string, double)>());
        var (verdict, costs) = (default(Verdict), default(Costs));
        foreach (var nodes in stage.Pick<int[]>([1, 2, 4, 8], [1, 2]))
        {
            await Task.WhenAll(Enumerable.Range(stage.Cluster.Nodes.Count, nodes - stage.Cluster.Nodes.Count)
                .Select(_ => stage.Cluster.AddNodeAsync()));
            await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users));

            // New nodes have their code to compile.
            await WarmAsync(stage, producer, screens, load);
            Delivered run = null!;
            costs = await stage.MeasureAsync(async () => run = await DeliverAsync(producer, screens, load));
            verdict += run.Verdict;
            await screens.AskAsync<object>(new CloseScreens("user"));
            total.Add(($"CPU per event, nodes: {nodes}", Microseconds(costs, run.Events)));
            perNode.Add(($"CPU per event and node, nodes: {nodes}", costs.Cpu["nodes"] * 1e6 / run.Events / nodes));
        }

        return new Sample([.. Series(total), .. Series(perNode)], verdict, costs!);
    }
}

namespace Pipeline.Benchmarks;

/// <summary>500 runs that emit one event after the other, which share transactions; nobody reads.</summary>
internal sealed class GroupScenario : Scenario
{
    private const int Runs = 500;
    private const int PerRun = 20;

    public override string Name => "group";

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var seconds = stage.Pick(8, 1);
        var producer = stage.Start<Producer>();
        var load = new AppendLoad("group", Runs, Runs, Unit: 1, seconds);
        await producer.AskAsync<Appended>(load with { Seconds = stage.Pick(12, 1) });
        Appended fast = null!;
        var costs = await stage.MeasureAsync(async () => fast = await producer.AskAsync<Appended>(load));
        var gentle = load with { PerSecond = Runs * PerRun };
        await producer.AskAsync<Appended>(gentle);
        var paced = await producer.AskAsync<Appended>(gentle);
        var verdict = await LogCheck.RunAsync(stage, load.Prefix, paced.Heads);
        var bare = await Pgbench.AppendGroupAsync(stage.Cluster.ConnectionString, Runs, seconds);
        return new Sample(
            [
                new Figure($"group append, {Runs} runs, as fast as they can", fast.Rate, "events/s") { Reference = bare, Against = "pgbench" },
                new Figure($"group append, {Runs} runs, p99 to durable", fast.Durable.P99, "ms"),
                new Figure($"group append, {Runs} runs × {PerRun}/s", paced.Rate, "events/s"),
                new Figure($"group append, {Runs} runs × {PerRun}/s, p99 to durable", paced.Durable.P99, "ms"),
            ],
            verdict,
            costs);
    }
}

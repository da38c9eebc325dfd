namespace Pipeline.Benchmarks;

/// <summary>32 writers, each with a stream of its own, one transaction after the other; nobody reads.</summary>
internal sealed class AppendScenario(int unit) : Scenario
{
    private const int Writers = 32;

    public override string Name => $"append-{unit}";

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var seconds = stage.Pick(8, 1);
        var producer = stage.Start<Producer>();
        var load = new AppendLoad("append", Writers, Writers, unit, seconds);
        await producer.AskAsync<Appended>(load with { Seconds = stage.Pick(12, 1) });
        Appended appended = null!;
        var costs = await stage.MeasureAsync(async () => appended = await producer.AskAsync<Appended>(load));
        var verdict = await LogCheck.RunAsync(stage, load.Prefix, appended.Heads);
        var bare = await Pgbench.AppendAsync(stage.Cluster.ConnectionString, Writers, unit, seconds);
        return new Sample(
            [new Figure($"append, {unit} a transaction, {Writers} writers", appended.Rate, "events/s") { Reference = bare, Against = "pgbench" }],
            verdict,
            costs);
    }
}

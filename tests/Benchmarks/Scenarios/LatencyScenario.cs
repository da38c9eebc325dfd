namespace Pipeline.Benchmarks;

/// <summary>1,000 events a second, appended singly, spread over 200 users: from the call to the socket.</summary>
internal sealed class LatencyScenario : Scenario
{
    private const int Users = 200;
    private const int PerSecond = 1_000;

    public override string Name => "latency";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users));
        var load = new AppendLoad("user", Users, Writers: 0, Unit: 1, stage.Pick(15, 5), PerSecond);
        var warm = await producer.AskAsync<Appended>(load with { Seconds = stage.Pick(15, 5) });
        await screens.AskAsync<Received>(new AwaitEvents("user", warm.Heads, 60));
        await screens.AskAsync<object>(new BeginCounting());
        Received received = null!;
        var costs = await stage.MeasureAsync(async () =>
        {
            var appended = await producer.AskAsync<Appended>(load);
            received = await screens.AskAsync<Received>(new AwaitEvents("user", appended.Heads, 60));
        });
        var (name, onScreen) = ($"end to end at {PerSecond:N0} events/s", received.OnScreen);
        return new Sample(
            [
                new Figure($"{name}, p50", onScreen.P50, "ms"),
                new Figure($"{name}, p99", onScreen.P99, "ms"),
                new Figure($"{name}, p99.9", onScreen.P999, "ms"),
            ],
            received.Verdict,
            costs);
    }
}

namespace Pipeline.Benchmarks;

/// <summary>1,000 events a second, appended singly, spread over 200 users: from the call to the socket.</summary>
internal sealed class LatencyScenario : Scenario
{
    private const int Users = 200;
    private const int PerSecond = 1_000;
    private const int LowPerSecond = 100;

    public override string Name => "latency";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users));
        var load = new AppendLoad("user", Users, Writers: 0, Unit: 1, stage.Pick(15, 1), PerSecond);

        // As fast as it goes, then for a minute at the rate that is measured, which takes other ways through the code: .NET compiles what
        // was called thirty times once more, and some is called once a second.
        await producer.AskAsync<Appended>(load with { Writers = 32, PerSecond = null, Seconds = stage.Pick(12, 1) });
        var warm = await producer.AskAsync<Appended>(load with { Seconds = stage.Pick(60, 1) });
        await screens.AskAsync<Received>(new AwaitEvents("user", warm.Heads, 60));
        await screens.AskAsync<object>(new BeginCounting());
        Appended appended = null!;
        Received received = null!;
        var costs = await stage.MeasureAsync(async () =>
        {
            appended = await producer.AskAsync<Appended>(load);
            received = await screens.AskAsync<Received>(new AwaitEvents("user", appended.Heads, 60));
        });
        var (ordinary, ordinaryRate) = await RunOrdinaryAsync(stage);
        return new Sample(
            [
                Compare("p50", latency => latency.P50),
                Compare("p99", latency => latency.P99),
                Compare("p99.9", latency => latency.P999),
                new Figure("  of it until durable, p50", appended.Durable.P50, "ms"),
                new Figure("  of it until durable, p99", appended.Durable.P99, "ms"),
            ],
            received.Verdict,
            costs);

        Figure Compare(string share, Func<Latency, double> at) =>
            new($"end to end at {PerSecond:N0} events/s, {share}", at(received.OnScreen), "ms")
            {
                Reference = at(ordinary.OnScreen),
                Against = $"{OrdinaryStack.Name} at {ordinaryRate:N0}/s",
                AgainstVerdict = ordinary.Verdict,
            };
    }

    // What cannot keep up has a growing backlog, not a latency: it is measured at a rate that it holds.
    private static async Task<(OrdinaryRun Run, int PerSecond)> RunOrdinaryAsync(Stage stage)
    {
        var stack = await OrdinaryStack.StartAsync(stage, Users);
        var rate = await stack.HoldsAsync(PerSecond, stage.Pick(60, 2)) ? PerSecond : LowPerSecond;
        return (await stack.RunAsync(stage.Pick(15, 1), rate), rate);
    }
}

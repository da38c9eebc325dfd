using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>One user with many screens, over two nodes: every event goes to all of them.</summary>
internal sealed class FanoutScenario(int unit) : Scenario
{
    private const int MostSockets = 1_000;

    public override string Name => $"fanout-{unit}";

    public override int Nodes => 2;

    public override IEnumerable<KeyValuePair<string, string>> Settings => [new("Delivery:MaxConnectionsPerUser", $"{MostSockets}")];

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var sockets = stage.Pick(MostSockets, 200);
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", Users: 1, sockets));
        var load = new AppendLoad("user", Streams: 1, Writers: 1, unit, stage.Pick(5, 1));
        var warm = await producer.AskAsync<Appended>(load with { Seconds = 2 });
        await screens.AskAsync<Received>(new AwaitEvents("user", warm.Heads, 60));
        await screens.AskAsync<object>(new BeginCounting());

        Appended appended = null!;
        Received received = null!;
        var costs = await stage.MeasureAsync(async () =>
        {
            appended = await producer.AskAsync<Appended>(load);
            received = await screens.AskAsync<Received>(new AwaitEvents("user", appended.Heads, 120));
        });
        var bare = await BareAsync(stage, screens, sockets, appended.Events);
        var delivered = received.Events / Stopwatch.GetElapsedTime(appended.Began, received.Ended).TotalSeconds;
        var name = $"fan-out to {sockets:N0} sockets, {unit} a unit";
        return new Sample(
            [
                new Figure($"{name}, delivered", delivered, "events/s") { Reference = bare.PerSecond, Against = "bare Kestrel" },
                new Figure($"{name}, p99 to the socket", received.OnScreen.P99, "ms"),
            ],
            received.Verdict + bare.Verdict,
            costs);
    }

    private async Task<(double PerSecond, Verdict Verdict)> BareAsync(Stage stage, RoleProcess screens, int sockets, long events)
    {
        var server = stage.Start<BareServer>();
        var url = (await server.AskAsync<Listening>(new ListenBare(Missed: 0))).Url;
        await screens.AskAsync<Connected>(new ConnectScreens([url], "bare", Users: 1, sockets));
        var warm = events / unit / 4 * unit;
        await server.AskAsync<Sent>(new Broadcast(warm, unit));
        await screens.AskAsync<Received>(new AwaitEvents("bare", [warm], 120));
        await screens.AskAsync<object>(new BeginCounting());
        var sent = await server.AskAsync<Sent>(new Broadcast(events, unit));
        var received = await screens.AskAsync<Received>(new AwaitEvents("bare", [warm + events], 120));
        return (received.Events / Stopwatch.GetElapsedTime(sent.Began, received.Ended).TotalSeconds, received.Verdict);
    }
}

using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>One screen reads one long stream from its start.</summary>
internal sealed class ReplayScenario : Scenario
{
    public override string Name => "replay";

    public override int Nodes => 1;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var (events, warm) = (stage.Pick(1_000_000, 50_000), stage.Pick(500_000, 20_000));
        await LogFill.RunAsync(stage, "warm", 0, 1, warm);
        await LogFill.RunAsync(stage, "user", 0, 1, events);
        var screens = stage.Start<Screens>();
        await ReplayAsync(stage, screens, "warm", warm);
        (double PerSecond, Verdict Verdict) ours = default;
        var costs = await stage.MeasureAsync(async () => ours = await ReplayAsync(stage, screens, "user", events));
        var copy = await CopyOut.ReadAsync(stage.Cluster.ConnectionString, "user-0", events);
        return new Sample(
            [new Figure($"replay of {events:N0} events", ours.PerSecond, "events/s") { Reference = copy, Against = "COPY" }],
            ours.Verdict,
            costs);
    }

    private static async Task<(double PerSecond, Verdict Verdict)> ReplayAsync(Stage stage, RoleProcess screens, string prefix, long events)
    {
        var connected = await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, prefix, Users: 1));
        var received = await screens.AskAsync<Received>(new AwaitEvents(prefix, [events], 300));
        return (events / Stopwatch.GetElapsedTime(connected.Began, received.Ended).TotalSeconds, received.Verdict);
    }
}

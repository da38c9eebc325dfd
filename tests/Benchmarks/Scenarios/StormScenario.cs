using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>Everybody comes back at once, to two nodes, and has missed 100 events.</summary>
internal sealed class StormScenario(int users) : Scenario
{
    private const int Missed = 100;
    private const int WarmUsers = 200;

    public override string Name => $"storm-{users}";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        await LogFill.RunAsync(stage, "warm", 0, WarmUsers, Missed);
        await LogFill.RunAsync(stage, "user", 0, users, Missed);
        var screens = stage.Start<Screens>();
        await ReturnAsync(screens, stage.NodeUrls, "warm", WarmUsers);

        (double All, Received Received) ours = (0, null!);
        var costs = await stage.MeasureAsync(async () => ours = await ReturnAsync(screens, stage.NodeUrls, "user", users));
        var server = stage.Start<BareServer>();
        string[] url = [(await server.AskAsync<Listening>(new ListenBare(Missed))).Url];
        await ReturnAsync(screens, url, "bare-warm", WarmUsers);
        var bare = await ReturnAsync(screens, url, "bare", users);

        const string Against = "bare Kestrel";
        var name = $"storm, {users:N0} × {Missed} missed";
        return new Sample(
            [
                new Figure($"{name}, all have all", ours.All, "ms") { Reference = bare.All, Against = Against },
                new Figure($"{name}, p99 client", ours.Received.Complete.P99, "ms") { Reference = bare.Received.Complete.P99, Against = Against },
            ],
            ours.Received.Verdict + bare.Received.Verdict,
            costs);
    }

    /// <summary>Milliseconds from the first opening until the last one has all.</summary>
    private static async Task<(double All, Received Received)> ReturnAsync(RoleProcess screens, string[] nodes, string prefix, int users)
    {
        var connected = await screens.AskAsync<Connected>(new ConnectScreens(nodes, prefix, users));
        var received = await screens.AskAsync<Received>(new AwaitEvents(prefix, [.. Enumerable.Repeat((long)Missed, users)], 60));
        return (Stopwatch.GetElapsedTime(connected.Began, received.Ended).TotalMilliseconds, received);
    }
}

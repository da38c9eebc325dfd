namespace Pipeline.Benchmarks;

/// <summary>Connections of as many users, to one node, on which nothing happens but what keeps them alive.</summary>
internal sealed class IdleScenario : Scenario
{
    private const int Warm = 100;
    private const int AtOnce = 50;

    public override string Name => "idle";

    public override int Nodes => 1;

    // .NET lets garbage lie up to the size of the processor's cache, which virtual machines report as hundreds of MB, and for a
    // server's collector as long as memory is plenty: the handshakes' would count as the connections'. The bare server is set the same.
    public override IEnumerable<KeyValuePair<string, string>> Settings =>
        [new("DOTNET_gcServer", "0"), new("DOTNET_GCgen0size", "0x400000")];

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var count = stage.Pick(10_000, 1_000);
        await LogFill.RunAsync(stage, "idle", 0, count, events: 0);
        var (screens, node) = (stage.Start<Screens>(), stage.Cluster.Nodes[0]);
        var ours = await HoldAsync(stage, screens, node.Url.ToString(), node.ProcessId, "idle", count);
        var verdict = await ReachAllAsync(stage, screens, "idle", count);
        await screens.AskAsync<object>(new CloseScreens("idle"));

        var server = stage.Start<BareServer>();
        var url = (await server.AskAsync<Listening>(new ListenBare(Missed: 0))).Url;
        var bare = await HoldAsync(stage, screens, url, server.ProcessId, "bare", count);

        const string Against = "bare Kestrel echo";
        return new Sample(
            [
                new Figure($"idle, {count:N0} connections, memory each", ours.Kilobytes, "KB") { Reference = bare.Kilobytes, Against = Against },
                new Figure($"idle, {count:N0} connections, CPU a minute", ours.PerMinute("nodes"), "s")
                {
                    Reference = bare.PerMinute(BareServer.Name),
                    Against = Against,
                },
            ],
            verdict,
            ours.Costs);
    }

    /// <summary>
    /// What connections take: resident memory above that of the process once it had served some, and CPU while all are there.
    /// </summary>
    private static async Task<Held> HoldAsync(Stage stage, RoleProcess screens, string url, int process, string prefix, int count)
    {
        await screens.AskAsync<Connected>(new ConnectScreens([url], $"{prefix}-warm", Warm, AtOnce: AtOnce));
        await screens.AskAsync<object>(new CloseScreens($"{prefix}-warm"));
        var empty = await ProcessMemory.SettledAsync(process);

        await screens.AskAsync<Connected>(new ConnectScreens([url], prefix, count, AtOnce: AtOnce));
        await ProcessMemory.SettledAsync(process);
        var seconds = stage.Pick(30, 1);

        // Nothing is to happen for so long: that is what is measured.
        var costs = await stage.MeasureAsync(() => Task.Delay(TimeSpan.FromSeconds(seconds)));
        return new Held((await ProcessMemory.SettledAsync(process) - empty) / count, costs, seconds);
    }

    /// <summary>That they were all there is shown by an event to each.</summary>
    private static async Task<Verdict> ReachAllAsync(Stage stage, RoleProcess screens, string prefix, int count)
    {
        const int PerSecond = 5_000;
        var producer = stage.Start<Producer>();
        var appended = await producer.AskAsync<Appended>(
            new AppendLoad(prefix, count, Writers: 0, Unit: 1, count / (double)PerSecond, PerSecond));
        return (await screens.AskAsync<Received>(new AwaitEvents(prefix, appended.Heads, 60))).Verdict;
    }

    private sealed record Held(double Kilobytes, Costs Costs, double Seconds)
    {
        public double PerMinute(string process) => Costs.Cpu[process] / Seconds * 60;
    }
}

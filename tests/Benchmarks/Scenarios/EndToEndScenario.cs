namespace Pipeline.Benchmarks;

/// <summary>From the committed append to the socket, every user with a screen, on two nodes, as fast as it goes.</summary>
internal sealed class EndToEndScenario(int users) : Scenario
{
    private const int Unit = 10;

    public override string Name => $"delivery-{users}";

    public override int Nodes => 2;

    public override async Task<Sample> RunAsync(Stage stage)
    {
        var seconds = stage.Pick(8, 1);
        var (producer, screens) = (stage.Start<Producer>(), stage.Start<Screens>());
        await screens.AskAsync<Connected>(new ConnectScreens(stage.NodeUrls, "user", users));
        var load = new AppendLoad("user", users, Writers: users, Unit, seconds);
        var warm = await producer.AskAsync<Appended>(load with { Seconds = stage.Pick(12, 1) });
        await screens.AskAsync<Received>(new AwaitEvents("user", warm.Heads, 60));
        await screens.AskAsync<object>(new BeginCounting());

        Appended appended = null!;
        Received received = null!;
        var costs = await stage.MeasureAsync(async () =>
        {
            appended = await producer.AskAsync<Appended>(load);
            received = await screens.AskAsync<Received>(new AwaitEvents("user", appended.Heads, 60));
        });
        var delivered = received.RateSince(appended.Began);
        var alone = await producer.AskAsync<Appended>(load with { Prefix = "alone" });
        var figures = new List<Figure>
        {
            new($"end to end, {users} users, delivered", delivered, "events/s") { Reference = alone.Rate, Against = "append alone" },
            new($"end to end, {users} users, p99 to the socket", received.OnScreen.P99, "ms"),
        };

        // A look takes five minutes in all, and the ordinary stack does no better with more users.
        if (!stage.IsQuick || users <= 200)
        {
            var ordinary = await (await OrdinaryStack.StartAsync(stage, users)).RunAsync(seconds);
            figures.Add(new Figure($"end to end, {users} users, beside the ordinary stack", delivered, "events/s")
            {
                Reference = ordinary.Delivered,
                Against = OrdinaryStack.Name,
                AgainstVerdict = ordinary.Verdict,
            });
        }

        return new Sample(
            figures,
            received.Verdict,
            costs);
    }
}

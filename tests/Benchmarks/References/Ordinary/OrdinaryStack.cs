namespace Pipeline.Benchmarks;

/// <summary>
/// What a .NET team would assemble today, for comparison: EF Core saves an event, MassTransit carries it over RabbitMQ in a message
/// of its own, and each of two nodes sends it to its user's SignalR group. It shares the servers with the pipeline: it is started
/// once that has been measured and idles.
/// </summary>
internal sealed class OrdinaryStack
{
    /// <summary>Its name in the table.</summary>
    public const string Name = "ordinary stack";
    private const string Prefix = "user";
    private readonly int _users;
    private readonly RoleProcess _producer;
    private readonly RoleProcess _screens;

    private OrdinaryStack(int users, RoleProcess producer, RoleProcess screens) =>
        (_users, _producer, _screens) = (users, producer, screens);

    /// <summary>Starts it, with a screen for each user, and warms it up.</summary>
    public static async Task<OrdinaryStack> StartAsync(Stage stage, int users)
    {
        RoleProcess[] nodes = [stage.Start<OrdinaryNode>(), stage.Start<OrdinaryNode>()];
        var addresses = await Task.WhenAll(nodes.Select(node => node.AskAsync<NodeAddress>(new TellAddress())));
        var stack = new OrdinaryStack(users, stage.Start<OrdinaryProducer>(), stage.Start<OrdinaryScreens>());
        await stack._screens.AskAsync<Connected>(new ConnectScreens([.. addresses.Select(address => address.Url)], Prefix, users));
        await stack.RunAsync(stage.Pick(6, 1));
        return stack;
    }

    /// <summary>One stretch of load, until every screen has every event of its user.</summary>
    /// <param name="perSecond">Of all users together; null: as fast as it goes.</param>
    public async Task<OrdinaryRun> RunAsync(double seconds, double? perSecond = null)
    {
        await _screens.AskAsync<object>(new BeginCounting());
        var appended = await _producer.AskAsync<Appended>(new AppendLoad(Prefix, _users, Writers: _users, Unit: 1, seconds, perSecond));
        var received = await _screens.AskAsync<Received>(new AwaitEvents(Prefix, appended.Heads, 60));
        return new OrdinaryRun(received.RateSince(appended.Began), received.OnScreen, received.Verdict);
    }

    /// <summary>Whether it delivers so many events in little more than the time they come in.</summary>
    public async Task<bool> HoldsAsync(double perSecond, double seconds) =>
        (await RunAsync(seconds, perSecond)).Delivered > perSecond / 1.2;
}

/// <param name="Delivered">Events a second.</param>
/// <param name="OnScreen">From the call that saved to the screen.</param>
internal sealed record OrdinaryRun(double Delivered, Latency OnScreen, Verdict Verdict);

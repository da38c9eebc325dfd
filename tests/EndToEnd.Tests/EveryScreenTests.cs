using Pipeline.Testing;

namespace Pipeline.EndToEnd.Tests;

/// <summary>Invariants I1–I6 of a healthy cluster: two workers, two nodes, fifty users with four clients each.</summary>
[Collection(FaultTests.OneAtATime)]
public sealed class EveryScreenTests(ITestOutputHelper output)
{
    private const int Users = 50;
    private const int RunsPerUser = 2;
    private const int AppendsPerUser = 40;

    [Fact]
    public async Task Every_screen_of_a_user_shows_all_of_its_events_once_and_in_order_and_nobody_elses()
    {
        await using var cluster = await PipelineCluster.StartAsync(nodes: 2, workers: 2);
        var nodes = cluster.Nodes.Select(node => node.Url).ToList();
        using var stop = new CancellationTokenSource();
        var users = await Task.WhenAll(Enumerable.Range(0, Users).Select(async n =>
            (Name: $"user-{n}", Token: await cluster.TokenAsync($"user-{n}"))));
        var histories = new List<History>();
        var readers = new List<Task>();
        foreach (var (n, (name, token)) in users.Index())
        {
            var own = new[] { "websocket", "sse", "long-poll", "dropping" }.Select(kind => new History(name, $"{name}/{kind}")).ToList();
            histories.AddRange(own);
            readers.Add(Readers.WebSocketAsync(() => nodes[n % 2], token, own[0], stop.Token));
            readers.Add(Readers.SseAsync(() => nodes[(n + 1) % 2], token, own[1], stop.Token));
            readers.Add(Readers.LongPollAsync(() => nodes[n % 2], token, own[2], stop.Token));
            readers.Add(Readers.DroppingAsync(nodes, token, own[3], TimeSpan.FromSeconds(1), stop.Token));
        }

        // Everybody is connected, and every path was taken once, before time counts.
        await Task.WhenAll(users.Select((user, n) => AppendAsync(cluster, n, user.Name, "greeting", upTo: 2)));
        await Eventually.HoldsAsync("every screen shows the greeting", () => histories.TrueForAll(h => h.Position == 2));

        await Task.WhenAll(users.Select((user, n) => WorkAsync(cluster, n, user.Name, user.Token)));
        await Eventually.HoldsAsync(
            "every run has ended",
            async () => await cluster.ScalarAsync<long>("select count(*) from pipeline.agent_run where status < 2") == 0,
            TimeSpan.FromSeconds(120));

        var committed = new Dictionary<string, IReadOnlyList<CommittedBody>>();
        foreach (var (name, _) in users)
        {
            committed[name] = await cluster.CommittedAsync(name);
        }

        await Eventually.HoldsAsync(
            "every client is at its user's head", () => histories.TrueForAll(h => h.Position >= committed[h.User].Count));
        await ShowWithinTwoSecondsAsync(cluster, users[0].Name, histories);
        await ShowWithinTwoSecondsAsync(cluster, users[1].Name, histories);
        committed[users[0].Name] = await cluster.CommittedAsync(users[0].Name);
        committed[users[1].Name] = await cluster.CommittedAsync(users[1].Name);
        await Eventually.HoldsAsync(
            "every client is at its user's new head", () => histories.TrueForAll(h => h.Position >= committed[h.User].Count));
        await stop.CancelAsync();
        await Task.WhenAll(readers);

        var events = committed.Values.Sum(bodies => bodies.Count);
        var (dropping, staying) = (histories.Where(h => h.Client.EndsWith("dropping", StringComparison.Ordinal)).ToList(),
            histories.Where(h => !h.Client.EndsWith("dropping", StringComparison.Ordinal)).ToList());
        var delays = Delays(staying, committed);
        output.WriteLine($"{events} events committed, {histories.Sum(h => h.Events.Count)} received, {dropping.Sum(h => h.Ends)} drops; "
            + $"commit to screen p50 {delays[delays.Count / 2]}, p99 {delays[delays.Count * 99 / 100]}, longest {delays[^1]}");
        Assert.True(events > 3_000, $"only {events} events: this proves little");
        Assert.All(dropping, h => Assert.True(h.Ends >= 3, $"{h.Client} dropped only {h.Ends} times"));
        Assert.All(staying, h => Assert.Equal(0, h.Ends));
        Assert.Empty(cluster.Errors());
        Assert.Empty(histories.SelectMany(h => h.Check(committed[h.User])));
        Assert.Equal(0L, await cluster.ScalarAsync<long>(
            "select count(*) from pipeline.agent_run r where 1 <> (select count(*) from pipeline.event_log e"
            + " where e.stream = r.stream and e.run = r.run and e.type in ('agent_completed', 'agent_failed', 'agent_cancelled'))"));
    }

    /// <summary>Two runs of the workers, and one run appended over HTTP in small portions through both nodes.</summary>
    private static async Task WorkAsync(PipelineCluster cluster, int n, string user, string token)
    {
        for (var run = 0; run < RunsPerUser; run++)
        {
            await cluster.StartRunAsync(token, $"thread-{n}", $"What is {n} * {run + 7}?");
        }

        await AppendAsync(cluster, n, user, "appended", AppendsPerUser);
    }

    /// <summary>I8, once the burst is over: what hosts that have just started do under it is the processor's to bound.</summary>
    private static async Task ShowWithinTwoSecondsAsync(PipelineCluster cluster, string user, List<History> histories)
    {
        var staying = histories.Where(h => h.User == user && !h.Client.EndsWith("dropping", StringComparison.Ordinal)).ToList();
        var head = staying.Max(h => h.Position);
        await AppendAsync(cluster, 0, user, "farewell", upTo: 2);
        await Eventually.HoldsAsync(
            $"every screen of {user} shows the farewell within 2 s", () => staying.TrueForAll(h => h.Position == head + 2), TimeSpan.FromSeconds(2));
    }

    private static async Task AppendAsync(PipelineCluster cluster, int n, string user, string run, int upTo)
    {
        var appender = await cluster.TokenAsync(user, "events:append");
        for (var sequence = 1; sequence <= upTo; sequence += 2)
        {
            await PipelineCluster.AppendAsync(
                cluster.Nodes[sequence / 2 % 2],
                appender,
                user,
                Event(n, run, sequence, sequence == upTo),
                Event(n, run, sequence + 1, sequence + 1 == upTo));
        }
    }

    /// <summary>From the log's insert to the client, sorted.</summary>
    private static List<TimeSpan> Delays(List<History> histories, Dictionary<string, IReadOnlyList<CommittedBody>> committed) =>
    [
        .. histories.SelectMany(h => h.Events.Skip(2).Select(e => e.At - committed[h.User][(int)e.Position - 1].StoredAt)).Order(),
    ];

    private static object Event(int n, string run, int sequence, bool last) => new
    {
        id = Guid.CreateVersion7(),
        type = last ? "agent_completed" : "plan_revised",
        thread = $"thread-{n}",
        run,
        sequence,
        data = new { result = $"{n}/{sequence} – größer ✓" },
    };
}

using Pipeline.Client;
using Pipeline.Testing;

namespace Pipeline.EndToEnd.Tests;

/// <summary>
/// Invariants I1–I6 of a healthy cluster: two workers, two nodes, fifty users with four clients each, and ten of them with a
/// .NET client beside those.
/// </summary>
public sealed class EveryScreenTests(ITestOutputHelper output)
{
    private const int Users = 50;
    private const int RunsPerUser = 2;
    private const int AppendsPerUser = 40;
    private const int UsersPerLoop = 5;
    private static readonly Transports[] Kinds = [Transports.All, Transports.WebSocket, Transports.Sse, Transports.Poll];

    [Fact]
    public async Task Every_screen_of_a_user_shows_all_of_its_events_once_and_in_order_and_nobody_elses()
    {
        await using var cluster = await PipelineCluster.StartAsync(nodes: 2, workers: 2);
        var nodes = cluster.Nodes.Select(node => node.Url).ToList();
        using var stop = new CancellationTokenSource();
        var users = await Task.WhenAll(Enumerable.Range(0, Users).Select(async n =>
            (Name: $"user-{n}", Token: await cluster.TokenAsync($"user-{n}"))));
        var history = new History();
        var histories = new List<ClientHistory>();
        var readers = new List<Task>();
        var loops = new List<ClientLoop>();
        foreach (var (n, (name, token)) in users.Index())
        {
            var own = new[] { "websocket", "sse", "long-poll", "dropping" }
                .Select(kind => history.Client(name, $"{name}/{kind}", stays: kind != "dropping")).ToList();
            histories.AddRange(own);
            readers.Add(Readers.WebSocketAsync(() => nodes[n % 2], token, own[0], stop.Token));
            readers.Add(Readers.SseAsync(() => nodes[(n + 1) % 2], token, own[1], stop.Token));
            readers.Add(Readers.LongPollAsync(() => nodes[n % 2], token, own[2], stop.Token));
            readers.Add(Readers.DroppingAsync(nodes, token, own[3], TimeSpan.FromSeconds(1), stop.Token));
            if (n % UsersPerLoop == 0)
            {
                loops.Add(new ClientLoop(nodes[(n + loops.Count) % 2], name, token, Kinds[loops.Count % Kinds.Length]));
            }
        }

        // Everybody is connected, and every path was taken once, before time counts.
        await Task.WhenAll(users.Select((user, n) => AppendAsync(cluster, history, n, user.Name, "greeting", events: 2)));
        await Eventually.HoldsAsync("every screen shows the greeting", () => histories.TrueForAll(h => h.Position == 2));
        var arrived = histories.ToDictionary(h => h, h => h.Ends);

        await Task.WhenAll(users.Select((user, n) => WorkAsync(cluster, history, n, user.Name, user.Token)));
        await Eventually.HoldsAsync(
            "every run has ended",
            async () => await cluster.ScalarAsync<long>("select count(*) from pipeline.agent_run where status < 2") == 0,
            TimeSpan.FromSeconds(120));

        var committed = new Dictionary<string, CommittedLog>();
        foreach (var (name, _) in users)
        {
            committed[name] = await cluster.CommittedAsync(name);
        }

        await Eventually.HoldsAsync(
            "every client is at its user's head", () => histories.TrueForAll(h => h.Position >= committed[h.User].Head));
        await ShowWithinTwoSecondsAsync(cluster, history, users[0].Name);
        await ShowWithinTwoSecondsAsync(cluster, history, users[1].Name);
        committed[users[0].Name] = await cluster.CommittedAsync(users[0].Name);
        committed[users[1].Name] = await cluster.CommittedAsync(users[1].Name);
        await Eventually.HoldsAsync(
            "every client is at its user's new head", () => histories.TrueForAll(h => h.Position >= committed[h.User].Head));
        await Eventually.HoldsAsync(
            "every .NET client is at its user's new head", () => loops.TrueForAll(loop => loop.Position >= committed[loop.User].Head));
        await stop.CancelAsync();
        await Task.WhenAll(readers);
        foreach (var loop in loops)
        {
            await loop.DisposeAsync();
            Assert.Equal(committed[loop.User].Events.Select(e => (e.Position, e.Id, e.Type, e.Run)), loop.Seen);
        }

        // What hosts that have just started do under the burst is the processor's to bound.
        var verdict = Checker.Judge(history, committed, new JudgeTerms { InTime = false });
        var (dropping, staying) = (histories.Where(h => !h.Stays).ToList(), histories.Where(h => h.Stays).ToList());
        var delays = Delays(staying, committed);
        output.WriteLine($"{verdict.Events} events committed, {verdict.Deliveries} received, {dropping.Sum(h => h.Ends)} drops; "
            + $"commit to screen p50 {delays[delays.Count / 2]}, p99 {delays[delays.Count * 99 / 100]}, longest {delays[^1]}");
        Assert.True(verdict.Events > 3_000, $"only {verdict.Events} events: this proves little");
        Assert.All(dropping, h => Assert.True(h.Ends >= 3, $"{h.Name} dropped only {h.Ends} times"));
        Assert.All(staying, h => Assert.Equal(arrived[h], h.Ends));
        Assert.Empty(cluster.Errors());
        Assert.Empty(verdict.Violations);
    }

    /// <summary>Two runs of the workers, and one run appended over HTTP in small portions through both nodes.</summary>
    private static async Task WorkAsync(PipelineCluster cluster, History history, int n, string user, string token)
    {
        for (var run = 0; run < RunsPerUser; run++)
        {
            history.Ask(user, $"thread-{n}-{run}");
            await cluster.StartRunAsync(token, $"thread-{n}-{run}", $"What is {n} * {run + 7}?");
        }

        await AppendAsync(cluster, history, n, user, "appended", AppendsPerUser);
    }

    /// <summary>I8, once the burst is over.</summary>
    private static async Task ShowWithinTwoSecondsAsync(PipelineCluster cluster, History history, string user)
    {
        var staying = history.Clients.Where(h => h.User == user && h.Stays).ToList();
        var head = staying.Max(h => h.Position);
        await AppendAsync(cluster, history, 0, user, "farewell", events: 2);
        await Eventually.HoldsAsync(
            $"every screen of {user} shows the farewell within 2 s", () => staying.TrueForAll(h => h.Position == head + 2), TimeSpan.FromSeconds(2));
    }

    /// <summary>A run that is appended in small portions through both nodes in turn.</summary>
    private static async Task AppendAsync(PipelineCluster cluster, History history, int n, string user, string run, int events)
    {
        var next = n;
        var producer = new HttpProducer(
            () => cluster.Nodes[next++ % 2].Url, await cluster.TokenAsync(user, "events:append"), user, history);
        await producer.RunAsync($"thread-{n}", run, events, pause: TimeSpan.Zero, TestContext.Current.CancellationToken);
        Assert.Equal(0, producer.Retries);
    }

    /// <summary>From the log's insert to the client, sorted.</summary>
    private static List<TimeSpan> Delays(List<ClientHistory> histories, Dictionary<string, CommittedLog> committed) =>
    [
        .. histories.SelectMany(h => h.Received.Skip(2).Select(e => e.At - committed[h.User].Events[(int)e.Cursor.Position - 1].StoredAt)).Order(),
    ];
}

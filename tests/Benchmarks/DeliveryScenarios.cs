using System.Collections.Concurrent;
using System.Diagnostics;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>From the commit call to the socket, through the broker and two nodes. Every event of every user is checked.</summary>
internal static class DeliveryScenarios
{
    private const int Users = 200;

    /// <summary>200 users, 32 writers, ten events a transaction, as fast as it goes.</summary>
    public static async Task RunThroughputAsync(Producer producer, PipelineCluster cluster)
    {
        const int perUser = 1_000;
        const int size = 10;
        var screens = await ConnectAsync(cluster, "throughput");
        var clock = Stopwatch.StartNew();
        var appended = TimeSpan.Zero;
        var reading = Task.WhenAll(screens.Select(screen => Task.Run(() => screen.ReadToAsync(perUser))));
        await Parallel.ForAsync(0, Users, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (user, cancellationToken) =>
        {
            for (var sequence = 1L; sequence <= perUser; sequence += size)
            {
                await producer.Log.AppendAsync(
                    producer.Encode($"throughput-{user}", "run", sequence, size), cancellationToken);
            }
        });
        appended = clock.Elapsed;
        await reading;
        Report.Line("end to end, 200 users, appended", Users * perUser / appended.TotalSeconds, "events/s");
        Report.Line("end to end, 200 users, delivered", Users * perUser / clock.Elapsed.TotalSeconds, "events/s");
        await DisposeAsync(screens);
    }

    /// <summary>1,000 events a second, appended singly, spread over 200 users: commit call to socket.</summary>
    public static async Task RunLatencyAsync(Producer producer, PipelineCluster cluster)
    {
        const int rate = 1_000;
        const int perUser = 75;
        var screens = await ConnectAsync(cluster, "latency");
        var started = new ConcurrentDictionary<(int User, long Position), long>();
        var latencies = new ConcurrentBag<double>();
        var reading = Task.WhenAll(screens.Select((screen, user) => Task.Run(() => screen.ReadToAsync(perUser, position =>
        {
            // The first seconds warm the hosts up.
            if (position > 15)
            {
                latencies.Add(Stopwatch.GetElapsedTime(started[(user, position)]).TotalMilliseconds);
            }
        }))));
        var clock = Stopwatch.StartNew();
        var appends = new List<Task>();
        for (var n = 0; n < Users * perUser; n++)
        {
            while (clock.Elapsed.TotalSeconds * rate < n)
            {
                await Task.Delay(1);
            }

            var user = n % Users;
            var sequence = (n / Users) + 1L;
            var unit = producer.Encode($"latency-{user}", "run", sequence, 1);
            started[(user, sequence)] = Stopwatch.GetTimestamp();
            appends.Add(producer.Log.AppendAsync(unit, CancellationToken.None));
        }

        await Task.WhenAll(appends);
        await reading;
        Report.Percentiles("end to end at 1,000 events/s, commit to socket", [.. latencies]);
        await DisposeAsync(screens);
    }

    /// <summary>One stream of 100,000 events read from the start by one client, then 100 missed events by each of 200.</summary>
    public static async Task RunReplayAsync(Producer producer, PipelineCluster cluster)
    {
        const int length = 100_000;
        for (var sequence = 1L; sequence <= length; sequence += 500)
        {
            await producer.Log.AppendAsync(producer.Encode("replay", "run", sequence, 500), CancellationToken.None);
        }

        var token = await cluster.TokenAsync("replay");
        var clock = Stopwatch.StartNew();
        await using (var screen = await Screen.ConnectAsync(cluster.Nodes[0], token, "0"))
        {
            await screen.ReadToAsync(length);
        }

        Report.Line("replay, one stream of 100,000 events", length / clock.Elapsed.TotalSeconds, "events/s");
        await RunStormAsync(producer, cluster);
    }

    private static async Task RunStormAsync(Producer producer, PipelineCluster cluster)
    {
        const int missed = 100;
        var tokens = new string[Users];
        for (var user = 0; user < Users; user++)
        {
            await producer.Log.AppendAsync(producer.Encode($"storm-{user}", "run", 1, missed), CancellationToken.None);
            tokens[user] = await cluster.TokenAsync($"storm-{user}");
        }

        var clock = Stopwatch.StartNew();
        await Task.WhenAll(tokens.Select((token, user) => Task.Run(async () =>
        {
            await using var screen = await Screen.ConnectAsync(cluster.Nodes[user % 2], token, "0");
            await screen.ReadToAsync(missed);
        })));
        Report.Line("200 clients return to 100 missed events each", clock.Elapsed.TotalMilliseconds, "ms");
    }

    private static async Task<Screen[]> ConnectAsync(PipelineCluster cluster, string prefix)
    {
        var screens = new Screen[Users];
        for (var user = 0; user < Users; user++)
        {
            var token = await cluster.TokenAsync($"{prefix}-{user}");
            screens[user] = await Screen.ConnectAsync(cluster.Nodes[user % 2], token, "0");
        }

        return screens;
    }

    private static async Task DisposeAsync(Screen[] screens)
    {
        foreach (var screen in screens)
        {
            await screen.DisposeAsync();
        }
    }
}

using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>Everybody's browsers at the ordinary stack, one for each user; asked as <see cref="Screens"/> is.</summary>
internal sealed class OrdinaryScreens : IRole<OrdinaryScreens>
{
    private OrdinaryScreen[] _screens = [];

    public static string Name => "ordinary-screens";

    public static Task<OrdinaryScreens> StartAsync() => Task.FromResult(new OrdinaryScreens());

    public async Task<object> HandleAsync(Request request) => request switch
    {
        ConnectScreens connect => await ConnectAsync(connect),
        BeginCounting => Begin(),
        AwaitEvents events => await AwaitAsync(events),
        _ => throw new NotSupportedException($"{request}"),
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var screen in _screens)
        {
            await screen.DisposeAsync();
        }
    }

    private async Task<Connected> ConnectAsync(ConnectScreens connect)
    {
        var began = Stopwatch.GetTimestamp();
        _screens = new OrdinaryScreen[connect.Users];
        await Parallel.ForAsync(0, connect.Users, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (user, stop) =>
            _screens[user] = await OrdinaryScreen.OpenAsync(connect.Nodes[user % connect.Nodes.Length], $"{connect.Prefix}-{user}", stop));
        return new Connected(began, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private object Begin()
    {
        foreach (var screen in _screens)
        {
            screen.BeginCounting();
        }

        return new { };
    }

    private async Task<Received> AwaitAsync(AwaitEvents events)
    {
        var screens = _screens.Zip(events.Heads).ToList();
        await Task.WhenAll(screens.Select(s => s.First.ReachAsync(s.Second)))
            .WaitAsync(TimeSpan.FromSeconds(events.Seconds)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        float[] latencies = [.. screens.SelectMany(s => s.First.Latencies)];
        return new Received(
            screens.Max(s => s.First.LastAt),
            latencies.Length,
            Latency.Of(latencies),
            Latency.Of([.. screens.Select(s => (float)Stopwatch.GetElapsedTime(s.First.OpenedAt, s.First.LastAt).TotalMilliseconds)]),
            screens.Aggregate(default(Verdict), (sum, s) => sum + s.First.Judge(s.Second)));
    }
}

using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace Pipeline.Benchmarks;

/// <summary>Opens WebSockets of users <c>PREFIX-0</c> and up, spread over the nodes; they read from then on.</summary>
/// <param name="Sockets">Of each user.</param>
/// <param name="AtOnce">Handshakes under way at a time.</param>
internal sealed record ConnectScreens(
    string[] Nodes, string Prefix, int Users, int Sockets = 1, string? After = "0", int AtOnce = int.MaxValue) : Request;

/// <summary>Closes the screens of this prefix.</summary>
internal sealed record CloseScreens(string Prefix) : Request;

/// <summary>Latencies count from now on.</summary>
internal sealed record BeginCounting : Request;

/// <summary>Waits until every screen of a user has all events up to the user's head.</summary>
/// <param name="Seconds">For at most so long: what is missing then is lost.</param>
internal sealed record AwaitEvents(string Prefix, long[] Heads, double Seconds) : Request;

/// <param name="Began">When the first was opened.</param>
internal sealed record Connected(long Began, double Seconds);

/// <param name="Ended">When the last screen had its last event.</param>
/// <param name="Events">That screens got since they were counted.</param>
/// <param name="OnScreen">From the call that appended to the socket.</param>
/// <param name="Complete">From the opening of a screen until it had all.</param>
internal sealed record Received(long Ended, long Events, Latency OnScreen, Latency Complete, Verdict Verdict)
{
    /// <summary>Events a second, from when the load began until the last was there.</summary>
    public double RateSince(long began) => Events / Stopwatch.GetElapsedTime(began, Ended).TotalSeconds;
}

/// <summary>Everybody's browsers.</summary>
internal sealed class Screens : IRole<Screens>
{
    private static readonly HttpClient Http = new();
    private readonly Dictionary<string, Screen[][]> _screens = [];

    public static string Name => "screens";

    public static Task<Screens> StartAsync() => Task.FromResult(new Screens());

    public async Task<object> HandleAsync(Request request) => request switch
    {
        ConnectScreens connect => await ConnectAsync(connect),
        CloseScreens close => await CloseAsync(close),
        BeginCounting => Begin(),
        AwaitEvents events => await AwaitAsync(events),
        _ => throw new NotSupportedException($"{request}"),
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var screen in _screens.Values.SelectMany(users => users).SelectMany(sockets => sockets))
        {
            await screen.DisposeAsync();
        }
    }

    private async Task<Connected> ConnectAsync(ConnectScreens connect)
    {
        var tokens = new string[connect.Users];
        await Parallel.ForAsync(0, connect.Users, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (user, stop) =>
            tokens[user] = await TokenAsync(connect.Nodes[user % connect.Nodes.Length], $"{connect.Prefix}-{user}", stop));
        using var gate = new SemaphoreSlim(connect.AtOnce);
        var began = Stopwatch.GetTimestamp();
        _screens[connect.Prefix] = await Task.WhenAll(tokens.Select((token, user) => Task.WhenAll(
            Enumerable.Range(0, connect.Sockets).Select(socket =>
                OpenAsync(gate, connect.Nodes[(user + socket) % connect.Nodes.Length], token, connect.After)))));
        return new Connected(began, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private static async Task<Screen> OpenAsync(SemaphoreSlim gate, string node, string token, string? after)
    {
        await gate.WaitAsync();
        try
        {
            return await Screen.OpenAsync(node, token, after);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<object> CloseAsync(CloseScreens close)
    {
        _screens.Remove(close.Prefix, out var users);
        foreach (var screen in users!.SelectMany(sockets => sockets))
        {
            await screen.DisposeAsync();
        }

        return new { };
    }

    private object Begin()
    {
        foreach (var screen in _screens.Values.SelectMany(users => users).SelectMany(sockets => sockets))
        {
            screen.BeginCounting();
        }

        return new { };
    }

    private async Task<Received> AwaitAsync(AwaitEvents events)
    {
        var users = _screens[events.Prefix];
        var screens = users.SelectMany((sockets, user) => sockets.Select(screen => (screen, head: events.Heads[user]))).ToList();
        await Task.WhenAll(screens.Select(s => s.screen.ReachAsync(s.head)))
            .WaitAsync(TimeSpan.FromSeconds(events.Seconds)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var verdict = screens.Aggregate(default(Verdict), (sum, s) => sum + s.screen.Judge(s.head));
        return new Received(
            screens.Max(s => s.screen.LastAt),
            screens.Sum(s => s.screen.Counted),
            Latency.Of([.. screens.SelectMany(s => s.screen.Latencies)]),
            Latency.Of([.. screens.Select(s => (float)Stopwatch.GetElapsedTime(s.screen.OpenedAt, s.screen.LastAt).TotalMilliseconds)]),
            verdict);
    }

    private static async Task<string> TokenAsync(string node, string user, CancellationToken stop)
    {
        using var response = await Http.PostAsJsonAsync(new Uri(new Uri(node), "/v1/dev/token"), new { user }, stop);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>(stop)).GetProperty("token").GetString()!;
    }
}

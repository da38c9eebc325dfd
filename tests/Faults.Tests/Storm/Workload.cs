using System.Net;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Users with clients of every transport, producers over HTTP, and runs of the demo agent, until it is stopped.</summary>
internal sealed class Workload : IAsyncDisposable
{
    private const int UserCount = 8;
    private const int EventsPerRun = 12;

    private readonly CancellationTokenSource _stopProducing = new();
    private readonly CancellationTokenSource _stopReading = new();
    private readonly List<Task> _producing = [];
    private readonly List<Task> _reading = [];
    private int _retries;

    private Workload()
    {
    }

    public IReadOnlyList<string> Users { get; } = [.. Enumerable.Range(0, UserCount).Select(n => $"user-{n}")];

    /// <summary>Requests that producers repeated.</summary>
    public int Retries => Volatile.Read(ref _retries);

    public static async Task<Workload> StartAsync(PipelineCluster cluster, History history)
    {
        var workload = new Workload();
        var nodes = cluster.Nodes.Select(node => node.ClientUrl).ToList();
        var stop = workload._stopReading.Token;
        foreach (var (n, user) in workload.Users.Index())
        {
            var token = await cluster.TokenAsync(user);
            var (first, second) = (nodes[n % nodes.Count], nodes[(n + 1) % nodes.Count]);
            workload._reading.AddRange(
            [
                Readers.WebSocketAsync(() => first, token, history.Client(user, $"{user}/websocket"), stop),
                Readers.SseAsync(() => second, token, history.Client(user, $"{user}/sse"), stop),
                Readers.LongPollAsync(() => first, token, history.Client(user, $"{user}/long-poll"), stop),
                Readers.DroppingAsync(nodes, token, history.Client(user, $"{user}/dropping", stays: false), TimeSpan.FromSeconds(3), stop),
            ]);
            var appender = await cluster.TokenAsync(user, "events:append");
            workload._producing.Add(workload.ProduceAsync(nodes, appender, user, n, history));
            workload._producing.Add(workload.AskAsync(nodes, token, user, n, history));
        }

        return workload;
    }

    /// <summary>Lets every request that is under way come to its end.</summary>
    public async Task StopProducingAsync()
    {
        await _stopProducing.CancelAsync();
        await Task.WhenAll(_producing);
    }

    public async Task StopReadingAsync()
    {
        await _stopReading.CancelAsync();
        await Task.WhenAll(_reading);
    }

    public async ValueTask DisposeAsync()
    {
        await StopProducingAsync();
        await StopReadingAsync();
        _stopProducing.Dispose();
        _stopReading.Dispose();
    }

    /// <summary>Runs appended over HTTP, each to its end; every try goes to the other node.</summary>
    private async Task ProduceAsync(List<Uri> nodes, string token, string user, int n, History history)
    {
        for (var run = 0; !_stopProducing.IsCancellationRequested; run++)
        {
            var next = n + run;
            var producer = new HttpProducer(() => nodes[next++ % nodes.Count], token, user, history);
            await producer.RunAsync($"{user}-http", $"{user}-http-{run}", EventsPerRun, TimeSpan.FromMilliseconds(120), _stopReading.Token);
            Interlocked.Add(ref _retries, producer.Retries);
        }
    }

    /// <summary>Runs of the demo agent, each asked for until it is answered, with one idempotency key.</summary>
    private async Task AskAsync(List<Uri> nodes, string token, string user, int n, History history)
    {
        for (var run = 0; !_stopProducing.IsCancellationRequested; run++)
        {
            var thread = $"{user}-asked-{run}";
            history.Ask(user, thread);
            for (var next = n; !await TryAskAsync(nodes[next++ % nodes.Count], token, thread, history);)
            {
                await Task.Delay(Random.Shared.Next(100, 400));
            }

            await Task.Delay(TimeSpan.FromSeconds(3), _stopProducing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<bool> TryAskAsync(Uri node, string token, string thread, History history)
    {
        try
        {
            await PipelineCluster.StartRunAsync(node, token, thread, "What is 6 * 7?", key: thread);
            return true;
        }
        catch (HttpRequestException refused) when (refused.StatusCode is { } status && status != HttpStatusCode.ServiceUnavailable)
        {
            history.Violate("I1", $"{thread}: a request for a run was answered with {(int)status}: {refused.Message}");
            return true;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            return false;
        }
    }
}

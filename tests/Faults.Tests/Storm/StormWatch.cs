using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>What has to hold at every moment: handshakes succeed (I9), and hosts stay within bounds (I7).</summary>
internal static class StormWatch
{
    private const long MostMemory = 700L * 1024 * 1024;
    private const int MostFiles = 1_000;
    private const int MostBackends = 150;
    private static readonly TimeSpan HandshakeBound = TimeSpan.FromSeconds(8);

    public static async Task RunAsync(PipelineCluster cluster, FaultCatalogue faults, History history, CancellationToken stop)
    {
        var token = await cluster.TokenAsync("watch");
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        await using var end = stop.Register(timer.Dispose);
        while (await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            await Task.WhenAll(cluster.Nodes.Select(node => ShakeHandsAsync(node, token, faults, history)));
            foreach (var host in cluster.Hosts.Where(faults.IsUp))
            {
                Measure(host, history);
            }

            await CountBackendsAsync(cluster, history);
        }
    }

    /// <summary>Directly, past the node's front link.</summary>
    private static async Task ShakeHandsAsync(HostProcess node, string token, FaultCatalogue faults, History history)
    {
        if (!faults.IsUp(node))
        {
            return;
        }

        var clock = Stopwatch.StartNew();
        using var bound = new CancellationTokenSource(HandshakeBound);
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Subprotocols.V1);
        socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        try
        {
            await socket.ConnectAsync(new UriBuilder(node.Url) { Scheme = "ws", Path = "/v1/events" }.Uri, bound.Token);
            var ready = await socket.ReceiveAsync(new byte[8 * 1024].AsMemory(), bound.Token);
            if (ready.MessageType != WebSocketMessageType.Text && faults.IsUp(node))
            {
                history.Violate("I9", $"{node.Url} answered a handshake with a close, {socket.CloseStatus}");
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            if (faults.IsUp(node))
            {
                history.Violate("I9", string.Create(
                    CultureInfo.InvariantCulture, $"{node.Url} did not shake hands within {clock.Elapsed.TotalSeconds:0.0} s: {exception.Message}"));
            }
        }
    }

    private static async Task CountBackendsAsync(PipelineCluster cluster, History history)
    {
        try
        {
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            var backends = await cluster.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database()").WaitAsync(bound.Token);
            if (backends > MostBackends)
            {
                history.Violate("I7", $"{backends} connections to the database");
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException)
        {
            // It is away.
        }
    }

    private static void Measure(HostProcess host, History history)
    {
        try
        {
            using var process = Process.GetProcessById(host.ProcessId);
            var files = Directory.GetFiles($"/proc/{host.ProcessId}/fd").Length;
            if (process.WorkingSet64 > MostMemory || files > MostFiles)
            {
                history.Violate("I7", $"{host.Name} holds {process.WorkingSet64 / 1024 / 1024} MB and {files} open files");
            }
        }
        catch (Exception exception) when (exception is ArgumentException or IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            // It was killed just now.
        }
    }
}

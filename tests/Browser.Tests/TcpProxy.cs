using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Pipeline.Browser.Tests;

/// <summary>
/// The network between a browser and a host. A browser's own offline mode leaves open WebSockets alone; cutting here
/// takes them down as a lost network does.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<TcpClient, Task> _connections = new();
    private readonly Task _accepting;
    private volatile bool _isCut;

    /// <param name="target">Where connections go.</param>
    public TcpProxy(Uri target)
    {
        Target = target;
        _listener.Start();
        Url = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    /// <summary>Where the browser connects.</summary>
    public Uri Url { get; }

    /// <summary>Where new connections go.</summary>
    public Uri Target { get; set; }

    /// <summary>Ends every connection and every new one until <see cref="Restore"/>.</summary>
    public void Cut()
    {
        _isCut = true;
        foreach (var connection in _connections.Keys)
        {
            connection.Close();
        }
    }

    public void Restore() => _isCut = false;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        await Task.WhenAll(_connections.Values);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync(_stop.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException)
            {
                return;
            }

            _connections[client] = ForwardAsync(client);
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        await Task.Yield();
        using var server = new TcpClient();
        try
        {
            if (!_isCut)
            {
                await server.ConnectAsync(Target.Host, Target.Port, _stop.Token);
                await Task.WhenAny(CopyAsync(client, server), CopyAsync(server, client));
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // The host is away: the browser sees a closed connection, as it would without a proxy.
        }
        finally
        {
            client.Close();
            _connections.TryRemove(client, out _);
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream(), _stop.Token);
        }
        catch (Exception exception) when (
            exception is IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // One end is gone; the other follows.
        }
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Pipeline.Worker.Tests;

/// <summary>A TCP proxy before PostgreSQL whose connections can become half-open: nothing passes, nothing is closed.</summary>
internal sealed class StallingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Pipe> _pipes = [];
    private readonly NpgsqlConnectionStringBuilder _target;
    private readonly Task _accepting;

    public StallingProxy(string connectionString)
    {
        _target = new NpgsqlConnectionStringBuilder(connectionString);
        _listener.Start();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1", Port = ((IPEndPoint)_listener.LocalEndpoint).Port, SslMode = SslMode.Disable,
        }.ConnectionString;
        _accepting = AcceptAsync();
    }

    public string ConnectionString { get; }

    /// <summary>Every connection there is hangs from now on; new ones pass.</summary>
    public void Stall()
    {
        foreach (var pipe in _pipes)
        {
            pipe.IsStalled = true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_pipes.Select(pipe => pipe.Pumping));
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var pipe = new Pipe(await _listener.AcceptTcpClientAsync(_stop.Token));
                _pipes.Add(pipe);
                pipe.Pumping = pipe.PumpAsync(_target.Host!, _target.Port, _stop.Token);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            // Stopped.
        }
    }

    private sealed class Pipe(TcpClient client)
    {
        private volatile bool _isStalled;

        public bool IsStalled { get => _isStalled; set => _isStalled = value; }

        public Task Pumping { get; set; } = Task.CompletedTask;

        public async Task PumpAsync(string host, int port, CancellationToken cancellationToken)
        {
            using (client)
            using (var server = new TcpClient())
            {
                await server.ConnectAsync(host, port, cancellationToken);
                await Task.WhenAny(CopyAsync(client, server, cancellationToken), CopyAsync(server, client, cancellationToken));
            }
        }

        private async Task CopyAsync(TcpClient from, TcpClient to, CancellationToken cancellationToken)
        {
            var buffer = new byte[64 * 1024];
            try
            {
                int read;
                while ((read = await from.GetStream().ReadAsync(buffer, cancellationToken)) > 0)
                {
                    if (!IsStalled)
                    {
                        await to.GetStream().WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
            {
                // The other end is gone; the pump closes this one.
            }
        }
    }
}

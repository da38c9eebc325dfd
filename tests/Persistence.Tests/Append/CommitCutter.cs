using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Pipeline.Persistence.Tests;

/// <summary>A TCP proxy before PostgreSQL that lets the first COMMIT through and cuts off its reply.</summary>
internal sealed class CommitCutter : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly NpgsqlConnectionStringBuilder _target;
    private readonly Task _accepting;
    private int _commits;

    public CommitCutter(string connectionString)
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

    public int Cuts { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var pumps = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                var server = new TcpClient();
                await server.ConnectAsync(_target.Host!, _target.Port, _stop.Token);
                pumps.Add(PumpAsync(client, server));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(pumps);
        }
    }

    private async Task PumpAsync(TcpClient client, TcpClient server)
    {
        using (client)
        using (server)
        {
            var isCut = false;
            var down = CopyAsync(server, client, _ => !isCut);
            var up = CopyAsync(client, server, bytes =>
            {
                isCut |= bytes.IndexOf("COMMIT\0"u8) >= 0 && Interlocked.Increment(ref _commits) == 1;
                return true;
            });
            await Task.WhenAny(up, down);
            Cuts += isCut ? 1 : 0;
        }
    }

    /// <summary>Copies until an end closes, or <paramref name="passes"/> swallows what just came and says so.</summary>
    private async Task CopyAsync(TcpClient from, TcpClient to, Func<ReadOnlySpan<byte>, bool> passes)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(buffer, _stop.Token)) > 0 && passes(buffer.AsSpan(0, read)))
            {
                await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The other end is gone; the pump closes this one.
        }
    }
}

using System.Net.Sockets;

namespace Pipeline.Testing;

/// <summary>One connection through a <see cref="FaultProxy"/>.</summary>
internal sealed class ProxiedConnection(FaultProxy proxy, Socket client, Func<Flow, ReadOnlySpan<byte>, bool>? inspect)
{
    private const int Unlimited = -1;

    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource _forgotten = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _upLeft = Unlimited;
    private int _downLeft = Unlimited;

    public async Task RunAsync(string host, int port)
    {
        try
        {
            client.NoDelay = _server.NoDelay = true;
            await _server.ConnectAsync(host, port, _ended.Token);
            await Task.WhenAll(PumpAsync(Flow.Up, client, _server), PumpAsync(Flow.Down, _server, client));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The target is away, or the connection was ended meanwhile.
        }

        End();
    }

    /// <summary>Nothing passes any more, whatever either side does.</summary>
    public void Forget() => _forgotten.TrySetResult();

    /// <summary>Closes both sides.</summary>
    public void End()
    {
        _ended.Cancel();
        client.Close();
        _server.Close();
    }

    /// <summary>Closes both sides without a farewell.</summary>
    public void Reset()
    {
        AbortOnClose(client);
        AbortOnClose(_server);
        End();
    }

    public void Truncate(Flow flow, int bytes)
    {
        Volatile.Write(ref flow.HasFlag(Flow.Up) ? ref _upLeft : ref _downLeft, bytes);
    }

    private async Task PumpAsync(Flow flow, Socket from, Socket to)
    {
        try
        {
            var buffer = new byte[32 * 1024];
            while (true)
            {
                var room = proxy.BytesPerSecond is var rate and > 0 ? Math.Clamp(rate / 20, 1, buffer.Length) : buffer.Length;
                await MayPassAsync(flow);
                var read = await from.ReceiveAsync(buffer.AsMemory(0, room), _ended.Token);
                await MayPassAsync(flow);
                if (proxy.Delay > TimeSpan.Zero)
                {
                    await Task.Delay(proxy.Delay, _ended.Token);
                }

                if (read == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }

                if (!await PassAsync(flow, buffer.AsMemory(0, read), to))
                {
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // One side is gone without a farewell: so is the other, once the network tells.
            await MayPassAsync(flow);
            Reset();
        }
    }

    private async Task<bool> PassAsync(Flow flow, Memory<byte> bytes, Socket to)
    {
        if (inspect is not null && !inspect(flow, bytes.Span))
        {
            End();
            return false;
        }

        var left = Left(flow, bytes.Length);
        for (var sent = 0; sent < left;)
        {
            sent += await to.SendAsync(bytes[sent..left], _ended.Token);
        }

        if (left < bytes.Length)
        {
            Reset();
            return false;
        }

        if (proxy.BytesPerSecond is var rate and > 0)
        {
            await Task.Delay(TimeSpan.FromSeconds((double)bytes.Length / rate), _ended.Token);
        }

        return true;
    }

    /// <summary>How many of so many bytes may pass before the connection is to break.</summary>
    private int Left(Flow flow, int bytes)
    {
        ref var left = ref flow == Flow.Up ? ref _upLeft : ref _downLeft;
        var may = Volatile.Read(ref left);
        if (may == Unlimited)
        {
            return bytes;
        }

        Volatile.Write(ref left, Math.Max(0, may - bytes));
        return Math.Min(may, bytes);
    }

    private async Task MayPassAsync(Flow flow)
    {
        await proxy.UntilItPassesAsync(flow, _ended.Token);
        if (_forgotten.Task.IsCompleted)
        {
            await Task.Delay(Timeout.Infinite, _ended.Token);
        }
    }

    private static void AbortOnClose(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Closed already.
        }
    }
}

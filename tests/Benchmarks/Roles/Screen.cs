using System.Buffers.Text;
using System.Diagnostics;
using System.Net.WebSockets;
using Pipeline.Contracts;

namespace Pipeline.Benchmarks;

/// <summary>
/// One WebSocket, read all the time. It counts and checks: each event right behind the last one. It finds the events in the text
/// instead of parsing it, since its CPU is taken from what is measured.
/// </summary>
internal sealed class Screen : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly Lock _lock = new();
    private readonly List<float> _latencies = [];
    private TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _awaited = long.MaxValue;
    private long _position;
    private long _doubled;
    private long _disordered;
    private Task _reading = Task.CompletedTask;

    public long OpenedAt { get; private set; }

    /// <summary>When the last event came.</summary>
    public long LastAt { get; private set; }

    /// <summary>Events since the counting began.</summary>
    public long Counted { get; private set; }

    /// <summary>From call to socket, of events appended since the counting began.</summary>
    public float[] Latencies
    {
        get
        {
            lock (_lock)
            {
                return [.. _latencies];
            }
        }
    }

    public static async Task<Screen> OpenAsync(string node, string token, string? after)
    {
        var screen = new Screen { OpenedAt = Stopwatch.GetTimestamp() };
        screen._socket.Options.AddSubProtocol(Subprotocols.V1);
        screen._socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        screen._socket.Options.KeepAliveInterval = TimeSpan.Zero;
        var url = new UriBuilder(node) { Scheme = "ws", Path = "/v1/events", Query = after is null ? "" : $"after={after}" };
        await screen._socket.ConnectAsync(url.Uri, CancellationToken.None);
        screen._reading = Task.Run(screen.ReadAsync);
        return screen;
    }

    /// <summary>Returns once all events up to this position came.</summary>
    public Task ReachAsync(long position)
    {
        lock (_lock)
        {
            _awaited = position;
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_position >= position)
            {
                _reached.SetResult();
            }

            return _reached.Task;
        }
    }

    /// <summary>What is wrong with what came, if these many were acknowledged.</summary>
    public Verdict Judge(long head)
    {
        lock (_lock)
        {
            return new Verdict(Math.Max(0, head - _position), _doubled, _disordered);
        }
    }

    public void BeginCounting()
    {
        lock (_lock)
        {
            Counted = 0;
            _latencies.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[4 * 1024];
        var length = 0;
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                throw new InvalidOperationException($"closed with {_socket.CloseStatus} {_socket.CloseStatusDescription}");
            }

            length += part.Count;
            if (part.EndOfMessage)
            {
                Take(buffer.AsSpan(0, length));
                length = 0;
            }
            else if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }

    private void Take(ReadOnlySpan<byte> frame)
    {
        if (!frame.StartsWith("{\"type\":\"events\""u8))
        {
            return;
        }

        var now = Stopwatch.GetTimestamp();
        lock (_lock)
        {
            while (frame.IndexOf("{\"cursor\":\""u8) is >= 0 and var at)
            {
                frame = frame[(at + 11)..];
                _ = Utf8Parser.TryParse(frame[(frame.IndexOf((byte)'_') + 1)..], out long position, out _);
                frame = frame[(frame.IndexOf("\"text\":\""u8) + 8)..];
                _ = Utf8Parser.TryParse(frame, out long called, out _);
                Take(position, called, now);
            }

            if (_position >= _awaited)
            {
                _reached.TrySetResult();
            }
        }
    }

    private void Take(long position, long called, long now)
    {
        (_doubled, _disordered) = (_doubled + (position <= _position ? 1 : 0), _disordered + (position > _position + 1 ? 1 : 0));
        (_position, LastAt) = (Math.Max(position, _position), now);
        Counted++;
        _latencies.Add((float)Stopwatch.GetElapsedTime(called, now).TotalMilliseconds);
    }
}

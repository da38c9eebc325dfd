using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Faults.Tests;

/// <summary>A WebSocket read frame by frame.</summary>
internal sealed class RawSocket : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[256 * 1024];

    private RawSocket(string token)
    {
        _socket.Options.AddSubProtocol(Subprotocols.V1);
        _socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
    }

    /// <param name="after">Where to go on; null for from now on.</param>
    public static async Task<RawSocket> OpenAsync(Uri node, string token, string? after = null)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        var socket = new RawSocket(token);
        var query = after is null ? "" : $"after={after}";
        await socket._socket.ConnectAsync(new UriBuilder(node) { Scheme = "ws", Path = "/v1/events", Query = query }.Uri, bound.Token);
        return socket;
    }

    /// <summary>The next frame, or the next of a type.</summary>
    public async Task<JsonElement> ReceiveAsync(string? type = null)
    {
        using var bound = new CancellationTokenSource(Bound);
        while (true)
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                part = await _socket.ReceiveAsync(_buffer.AsMemory(length), bound.Token);
                length += part.Count;
            }
            while (!part.EndOfMessage);

            Assert.Equal(WebSocketMessageType.Text, part.MessageType);
            var frame = JsonDocument.Parse(Encoding.UTF8.GetString(_buffer, 0, length)).RootElement;
            if (type is null || frame.GetProperty("type").GetString() == type)
            {
                return frame;
            }
        }
    }

    /// <summary>How the server closes, whatever comes before.</summary>
    public async Task<int?> CloseStatusAsync()
    {
        using var bound = new CancellationTokenSource(Bound);
        while ((await _socket.ReceiveAsync(_buffer.AsMemory(), bound.Token)).MessageType != WebSocketMessageType.Close)
        {
            // Frames from before.
        }

        return (int?)_socket.CloseStatus;
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}

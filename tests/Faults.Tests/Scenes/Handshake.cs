using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Faults.Tests;

/// <summary>A WebSocket up to its first frame.</summary>
internal static class Handshake
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    /// <summary>The type of the first frame.</summary>
    public static async Task<string?> FirstFrameAsync(Uri node, string token)
    {
        using var bound = new CancellationTokenSource(Bound);
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Subprotocols.V1);
        socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        await socket.ConnectAsync(new UriBuilder(node) { Scheme = "ws", Path = "/v1/events" }.Uri, bound.Token);
        var buffer = new byte[16 * 1024];
        var received = await socket.ReceiveAsync(buffer.AsMemory(), bound.Token);
        if (received.MessageType != WebSocketMessageType.Text)
        {
            return $"close {socket.CloseStatus}";
        }

        using var frame = JsonDocument.Parse(buffer.AsMemory(0, received.Count));
        return frame.RootElement.GetProperty("type").GetString();
    }
}

using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>A WebSocket client that counts and checks: each event right behind the last one.</summary>
internal sealed class Screen : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private long _position;

    public long Position => Volatile.Read(ref _position);

    public static async Task<Screen> ConnectAsync(HostProcess node, string token, string after)
    {
        var screen = new Screen();
        screen._socket.Options.AddSubProtocol(Subprotocols.V1);
        screen._socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        await screen._socket.ConnectAsync(
            new UriBuilder(node.Url) { Scheme = "ws", Path = "/v1/events", Query = $"after={after}" }.Uri, CancellationToken.None);
        return screen;
    }

    /// <summary>Reads until a position is reached; calls back with each event's position.</summary>
    public async Task ReadToAsync(long position, Action<long>? received = null)
    {
        var buffer = new byte[64 * 1024];
        var length = 0;
        while (Position < position)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                throw new InvalidOperationException($"closed with {_socket.CloseStatus} {_socket.CloseStatusDescription}");
            }

            length += part.Count;
            if (part.EndOfMessage)
            {
                Take(buffer.AsSpan(0, length), received);
                length = 0;
            }
            else if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Take(ReadOnlySpan<byte> frame, Action<long>? received)
    {
        if (!frame.StartsWith("{\"type\":\"events\""u8))
        {
            return;
        }

        var reader = new Utf8JsonReader(frame);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 3 && reader.ValueTextEquals("cursor"u8))
            {
                reader.Read();
                _ = Cursor.TryParse(reader.GetString(), out var cursor);
                if (cursor.Position != _position + 1)
                {
                    throw new InvalidOperationException($"{cursor} came after {_position}");
                }

                Volatile.Write(ref _position, cursor.Position);
                received?.Invoke(cursor.Position);
            }
        }
    }
}

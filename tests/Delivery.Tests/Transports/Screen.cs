using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Tests;

/// <summary>A browser's WebSocket, as a test drives it.</summary>
internal sealed class Screen : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    public string? SubProtocol => _socket.SubProtocol;

    /// <summary>Connects with the token as a subprotocol, as a page does.</summary>
    public static async Task<Screen> OpenAsync(TestNode node, string token, string query = "", Action<ClientWebSocketOptions>? configure = null)
    {
        var screen = new Screen();
        screen._socket.Options.AddSubProtocol(Subprotocols.V1);
        screen._socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        configure?.Invoke(screen._socket.Options);
        await screen._socket.ConnectAsync(Address(node, "/v1/events", query), Timely());
        return screen;
    }

    /// <summary>Connects with what the test sets itself.</summary>
    public static async Task<Screen> OpenBareAsync(TestNode node, string path, Action<ClientWebSocketOptions> configure)
    {
        var screen = new Screen();
        screen._socket.Options.CollectHttpResponseDetails = true;
        configure(screen._socket.Options);
        await screen._socket.ConnectAsync(Address(node, path, ""), Timely());
        return screen;
    }

    /// <summary>Next frame's text; null when the server closed.</summary>
    public Task<string?> TextAsync() => ReadAsync(Timely());

    private async Task<string?> ReadAsync(CancellationToken cancellationToken)
    {
        using var frame = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            frame.Write(buffer.AsSpan(0, part.Count));
            if (part.EndOfMessage)
            {
                return Encoding.UTF8.GetString(frame.ToArray());
            }
        }
    }

    /// <summary>Next frame of a type; those of other types before it are skipped, but never events or a reset.</summary>
    public async Task<JsonNode> FrameAsync(string type)
    {
        var timely = Timely();
        while (await ReadAsync(timely) is { } text)
        {
            var frame = JsonNode.Parse(text)!;
            var found = (string)frame["type"]!;
            if (found == type)
            {
                return frame;
            }

            Assert.False(found is FrameTypes.Events or FrameTypes.Reset, $"waiting for {type}: {text}");
        }

        throw new InvalidOperationException($"the server closed with {_socket.CloseStatus} instead of sending {type}");
    }

    /// <summary>Events until there are so many, and that they follow each other.</summary>
    public async Task<List<JsonNode>> EventsAsync(int count)
    {
        var events = new List<JsonNode>();
        string? cursor = null;
        while (events.Count < count)
        {
            var frame = await FrameAsync(FrameTypes.Events);
            Assert.True(cursor is null || cursor == (string?)frame["after"], $"after {frame["after"]} does not follow {cursor}");
            cursor = (string?)frame["cursor"];
            events.AddRange(frame["events"]!.AsArray().Select(e => e!));
            Assert.Equal(cursor, (string?)events[^1]["cursor"]);
        }

        return events;
    }

    /// <summary>Reads on until the server closed, and returns its code.</summary>
    public async Task<int> ClosedAsync()
    {
        var timely = Timely();
        while (await ReadAsync(timely) is not null)
        {
        }

        return (int)_socket.CloseStatus!;
    }

    /// <summary>Sends a text frame in fragments.</summary>
    public async Task SendFragmentsAsync(string text, int fragments)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var size = (bytes.Length + fragments - 1) / fragments;
        for (var i = 0; i < bytes.Length; i += size)
        {
            var part = bytes.AsMemory(i, Math.Min(size, bytes.Length - i));
            await _socket.SendAsync(part, WebSocketMessageType.Text, i + size >= bytes.Length, Timely());
        }
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text);

    public Task SendAsync(byte[] bytes, WebSocketMessageType type) =>
        _socket.SendAsync(bytes, type, endOfMessage: true, Timely());

    public Task CloseAsync() => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Timely());

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Uri Address(TestNode node, string path, string query) =>
        new UriBuilder(node.Http.BaseAddress!) { Scheme = "ws", Path = path, Query = query }.Uri;

    // Less than the time between two passes over all heads: what comes in time did not come by one.
    private static CancellationToken Timely() => new CancellationTokenSource(TimeSpan.FromSeconds(8)).Token;
}

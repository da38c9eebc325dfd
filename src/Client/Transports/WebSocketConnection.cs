using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>A WebSocket (PROTOCOL.md, sections 5.3 and 7).</summary>
internal sealed class WebSocketConnection : IConnection
{
    private const int MostFrameBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly ClientWebSocket _socket;
    private readonly TimeProvider _time;
    private readonly CancellationToken _life;
    private readonly ArrayBufferWriter<byte> _message = new(16 * 1024);
    private Task _receiving = Task.CompletedTask;

    private WebSocketConnection(ClientWebSocket socket, TimeProvider time, CancellationToken life) =>
        (_socket, _time, _life) = (socket, time, life);

    public TimeSpan AckInterval => TimeSpan.FromSeconds(1);

    public static async Task<IConnection> OpenAsync(ServiceHttp http, Opening opening, TimeProvider time, CancellationToken life)
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.AddSubProtocol(Subprotocols.V1);
            socket.Options.SetRequestHeader("Authorization", $"Bearer {opening.Token}");
            socket.Options.CollectHttpResponseDetails = true;
            await socket.ConnectAsync(http.WebSocketUrl(opening.After), http.Invoker, life);
            socket.HttpResponseHeaders = null;
            return new WebSocketConnection(socket, time, life);
        }
        catch (WebSocketException) when ((int)socket.HttpStatusCode >= 400)
        {
            var ending = Ending.OfStatus(
                socket.HttpStatusCode, detail: null, ServiceHttp.RetryAfter(socket.HttpResponseHeaders), isUpgrade: !opening.IsOnly);
            socket.Dispose();
            throw new ConnectionEndedException(ending);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task<Frame> ReceiveAsync()
    {
        var receiving = ReceiveMessageAsync(_life);
        _receiving = receiving;
        await receiving;
        return Frame.Read(_message.WrittenSpan);
    }

    public Task AckAsync(string cursor, CancellationToken cancellationToken) => SendAsync(ClientFrame.Ack(cursor), cancellationToken);

    public async Task<bool> RenewAsync(string token, CancellationToken cancellationToken)
    {
        await SendAsync(ClientFrame.Auth(token), cancellationToken);
        return true;
    }

    /// <summary>Says goodbye and waits a moment for the answer, so that what was sent last arrives.</summary>
    public async ValueTask DisposeAsync()
    {
        using var bound = new CancellationTokenSource(Farewell, _time);
        try
        {
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, bound.Token);
                await _receiving.WaitAsync(bound.Token);
            }

            while (_socket.State == WebSocketState.CloseSent)
            {
                await ReceiveMessageAsync(bound.Token);
            }
        }
        catch (Exception exception) when (Ending.Of(exception) is not null || exception is OperationCanceledException)
        {
            // It is gone, or has nothing to say.
        }

        _socket.Dispose();
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ReceiveMessageAsync(CancellationToken cancellationToken)
    {
        _message.ResetWrittenCount();
        while (true)
        {
            var part = await _socket.ReceiveAsync(_message.GetMemory(4 * 1024), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                throw new ConnectionEndedException(new Ending(
                    (int?)_socket.CloseStatus ?? Ending.Lost, $"closed with {(int?)_socket.CloseStatus}: {_socket.CloseStatusDescription}"));
            }

            _message.Advance(part.Count);
            if (_message.WrittenCount > MostFrameBytes)
            {
                throw new JsonException($"a frame has more than {MostFrameBytes} bytes");
            }

            if (part.EndOfMessage)
            {
                return;
            }
        }
    }

    private async Task SendAsync(ClientFrame frame, CancellationToken cancellationToken)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(frame, ClientJson.Default.ClientFrame);
        await _socket.SendAsync(json.AsMemory(), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
    }
}

using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>One open WebSocket: frames out, one writer at a time; frames in, which become wishes of the connection.</summary>
internal sealed class WebSocketSession(WebSocket socket, HttpContext context, FeedOptions options, TimeProvider time) : IFrameSink, IDisposable
{
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly WriteBound _bound = new(context, options.WriteTimeout, time);

    public string Transport => "websocket";

    public async Task SendEventsAsync(Step step, CancellationToken cancellationToken)
    {
        using var frame = new PooledBuffer(EventWriter.SizeOf(step));
        EventWriter.WriteFrame(frame, step);
        await SendAsync(frame.Written, cancellationToken);
    }

    public Task SendAsync<T>(string type, string? cursor, T frame, JsonTypeInfo<T> json, CancellationToken cancellationToken) =>
        SendAsync(JsonSerializer.SerializeToUtf8Bytes(frame, json), cancellationToken);

    /// <summary>Everything between the handshake and the last word.</summary>
    /// <param name="cancellationToken">Not needed where the socket's stream ends with its connection.</param>
    public async Task TalkAsync(
        PushLoop loop, Connection connection, Subscription subscription, TokenValidation tokens, CancellationToken cancellationToken)
    {
        var receiving = ReceiveAsync(connection, subscription, tokens, cancellationToken);
        try
        {
            var close = await loop.RunAsync(connection, subscription, this, cancellationToken);
            await CloseAsync(close, receiving);
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // The client is gone, or took nothing in for too long.
            context.Abort();
        }
        catch
        {
            context.Abort();
            throw;
        }
        finally
        {
            await receiving;
        }
    }

    /// <summary>
    /// Reads the client's frames until it closed or is gone. What it wants, and what it did wrong, is left with the
    /// connection, whose owner alone writes.
    /// </summary>
    private async Task ReceiveAsync(
        Connection connection, Subscription subscription, TokenValidation tokens, CancellationToken cancellationToken)
    {
        try
        {
            while (socket.State is WebSocketState.Open or WebSocketState.CloseSent)
            {
                // Without room for a frame it waits for one: memory is rented when that has come.
                var begun = await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken);
                if (await TakeAsync(begun, connection, subscription, tokens, cancellationToken) is { } close)
                {
                    connection.CloseWith(close.Code, close.Reason);
                }
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            connection.CloseWith((int)WebSocketCloseStatus.NormalClosure, "the connection is gone");
        }
    }

    /// <summary>Says why, and gives the client a moment to say goodbye.</summary>
    public async Task CloseAsync(Close close, Task receiving)
    {
        using var timeout = new CancellationTokenSource(Farewell, time);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync((WebSocketCloseStatus)close.Code, close.Reason, timeout.Token);
            }

            await receiving.WaitAsync(timeout.Token);
            if (socket.State == WebSocketState.Aborted && context.Features.Get<IHttpUpgradeFeature>() is KeptUpgrade upgrade)
            {
                await upgrade.LingerAsync(timeout.Token);
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException)
        {
            context.Abort();
        }
    }

    public void Dispose() => socket.Dispose();

    private async Task SendAsync(ReadOnlyMemory<byte> text, CancellationToken cancellationToken)
    {
        do
        {
            var part = text[..Math.Min(text.Length, WriteBound.PartBytes)];
            text = text[part.Length..];
            await _bound.AwaitAsync(socket.SendAsync(part, WebSocketMessageType.Text, endOfMessage: text.IsEmpty, cancellationToken));
        }
        while (!text.IsEmpty);
    }

    private async Task<Close?> TakeAsync(
        ValueWebSocketReceiveResult begun, Connection connection, Subscription subscription, TokenValidation tokens,
        CancellationToken cancellationToken)
    {
        using var frame = new PooledBuffer(512);
        return await ReceiveFrameAsync(begun, frame, cancellationToken)
            ?? await HeedAsync(ClientFrame.Read(frame.Written.Span), connection, subscription, tokens);
    }

    /// <summary>Null: a text frame is there. Else why to close.</summary>
    private async Task<Close?> ReceiveFrameAsync(ValueWebSocketReceiveResult part, PooledBuffer frame, CancellationToken cancellationToken)
    {
        while (!part.EndOfMessage)
        {
            // Unwanted ones too: a frame of which nothing is read begins again and again.
            part = await socket.ReceiveAsync(frame.GetMemory(512), cancellationToken);
            frame.Advance(part.Count);
            if (part.MessageType == WebSocketMessageType.Binary)
            {
                break;
            }

            if (frame.Written.Length > ClientFrame.MaxBytes)
            {
                return new Close(CloseCodes.TooBig, $"a frame has more than {ClientFrame.MaxBytes} bytes");
            }
        }

        return part.MessageType switch
        {
            WebSocketMessageType.Close => new Close((int)WebSocketCloseStatus.NormalClosure, ""),
            WebSocketMessageType.Binary => new Close(CloseCodes.PolicyViolation, "a binary frame; this protocol has text frames only"),
            _ => null,
        };
    }

    private static async Task<Close?> HeedAsync(
        ClientFrame frame, Connection connection, Subscription subscription, TokenValidation tokens)
    {
        if (frame.Ack is { } ack)
        {
            subscription.Ack(ack);
        }

        if (frame.Token is null)
        {
            return frame.Violation;
        }

        var caller = await tokens.ValidateAsync(frame.Token);
        if (caller is null)
        {
            return new Close(CloseCodes.Unauthorized, "the token of the auth frame is bad or has expired");
        }

        if (caller.Stream != connection.Caller.Stream)
        {
            return new Close(CloseCodes.Forbidden, "the token of the auth frame is another user's");
        }

        connection.Renew(caller.Expires);
        return null;
    }
}

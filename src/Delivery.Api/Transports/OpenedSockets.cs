using System.Net.WebSockets;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>A WebSocket whose handshake was answered.</summary>
/// <param name="Caller">Null: its token is bad, which its close code is to tell.</param>
internal sealed record OpenedSocket(WebSocket Socket, Caller? Caller, EventsRequest Request);

/// <summary>
/// The life of WebSockets (PROTOCOL.md, "WebSocket", "Close codes"). It is in front of all that their handshake passed
/// through, like any other request, so that none of that waits in memory for their end.
/// </summary>
internal sealed class OpenedSockets(
    RequestDelegate next, PushLoop loop, Connections connections, SubscriptionServices services, TokenValidation tokens,
    IOptions<FeedOptions> options)
{
    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);
        if (context.Features.Get<OpenedSocket>() is not null)
        {
            await SpentRequest.LetGoAsync(context);
            await TakeAsync(context);
        }
    }

    private Task TakeAsync(HttpContext context)
    {
        var (socket, caller, request) = context.Features.GetRequiredFeature<OpenedSocket>();
        context.Features.Set<OpenedSocket>(null);
        var session = new WebSocketSession(socket, context, options.Value, services.Time);
        if (caller is null)
        {
            return RefuseAsync(session);
        }

        // Over HTTP/2 a stream that is aborted may be waited for as long as its connection.
        var ends = HttpProtocol.IsHttp2(context.Request.Protocol) ? context.RequestAborted : CancellationToken.None;
        return ServeAsync(session, new Connection(caller, request.Client, services.Time), request.Start, ends);
    }

    // Page script sees no 401, so a bad token that came as a subprotocol is told by a close code.
    private async Task RefuseAsync(WebSocketSession session)
    {
        using var ended = session;
        var close = tokens.CanValidate
            ? new Close(CloseCodes.Unauthorized, "the token is bad or has expired")
            : new Close(CloseCodes.Overload, "the keys that tokens are checked with have not been fetched yet");
        await session.CloseAsync(close, Task.CompletedTask);
    }

    private async Task ServeAsync(
        WebSocketSession session, Connection connection, Cursor? start, CancellationToken cancellationToken)
    {
        using var ended = session;
        using var gone = connection;
        if (connections.TryAdd(connection, replaces: true) is { } full)
        {
            await session.CloseAsync(new Close(CloseCodes.Overload, full), Task.CompletedTask);
            return;
        }

        try
        {
            await using var subscription = new Subscription(services, connection, start, cursorIsAck: false);
            await session.TalkAsync(loop, connection, subscription, tokens, cancellationToken);
        }
        finally
        {
            connections.Remove(connection);
        }
    }
}

using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>WebSocket: who may open one, and its life (PROTOCOL.md, "WebSocket", "Close codes").</summary>
internal sealed class WebSocketTransport(
    PushLoop loop, Connections connections, SubscriptionServices services, TokenValidation tokens, OriginPolicy origins, IOptions<FeedOptions> options)
{
    public async Task RunAsync(HttpContext context)
    {
        if (!origins.Allows(context.Request))
        {
            await Problem.Forbidden("pages of this Origin may not open WebSockets here; add it to Delivery:AllowedOrigins").ExecuteAsync(context);
            return;
        }

        var offered = context.WebSockets.WebSocketRequestedProtocols;
        var token = offered.FirstOrDefault(name => name.StartsWith(Subprotocols.BearerPrefix, StringComparison.Ordinal));
        var caller = Caller.Find(context)
            ?? (token is null ? null : await tokens.ValidateAsync(token[Subprotocols.BearerPrefix.Length..]));
        if (caller is null && token is null)
        {
            await context.ChallengeAsync();
            return;
        }

        if (offered.Count > 0 && !offered.Contains(Subprotocols.V1))
        {
            throw new RejectedRequestException(Problem.BadRequest(
                "Sec-WebSocket-Protocol", $"none of the offered subprotocols is {Subprotocols.V1}; offer it too, or none"));
        }

        var request = EventsRequest.Read(context.Request);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            SubProtocol = offered.Count > 0 ? Subprotocols.V1 : null,

            // A client that vanished without a word answers no ping.
            KeepAliveInterval = options.Value.Heartbeat,
            KeepAliveTimeout = options.Value.Heartbeat * 2,
        });
        using var session = new WebSocketSession(socket, context, options.Value, services.Time);
        await (caller is null ? RefuseAsync(session) : ServeAsync(session, caller, request));
    }

    // Page script sees no 401, so a bad token that came as a subprotocol is told by a close code.
    private Task RefuseAsync(WebSocketSession session)
    {
        var close = tokens.CanValidate
            ? new Close(CloseCodes.Unauthorized, "the token is bad or has expired")
            : new Close(CloseCodes.Overload, "the keys that tokens are checked with have not been fetched yet");
        return session.CloseAsync(close, Task.CompletedTask);
    }

    private async Task ServeAsync(WebSocketSession session, Caller caller, EventsRequest request)
    {
        using var signal = new Signal(services.Time);
        var connection = new Connection(caller, request.Client, signal);
        if (connections.TryAdd(connection, replaces: true) is { } full)
        {
            await session.CloseAsync(new Close(CloseCodes.Overload, full), Task.CompletedTask);
            return;
        }

        try
        {
            await using var subscription = new Subscription(
                services, caller.Stream, request.Start, request.Client, signal, cursorIsAck: false);
            await session.TalkAsync(loop, connection, subscription, tokens);
        }
        finally
        {
            connections.Remove(connection);
        }
    }
}

using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>WebSocket: who may open one (PROTOCOL.md, "WebSocket").</summary>
internal sealed class WebSocketTransport(TokenValidation tokens, OriginPolicy origins, IOptions<FeedOptions> options)
{
    /// <summary>Answers the handshake; where it is good, <see cref="OpenedSockets"/> has the socket served.</summary>
    public async Task AcceptAsync(HttpContext context)
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
        var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            SubProtocol = offered.Count > 0 ? Subprotocols.V1 : null,

            // A client that vanished without a word answers no ping.
            KeepAliveInterval = options.Value.Heartbeat,
            KeepAliveTimeout = options.Value.Heartbeat * 2,
        });
        context.Features.Set(new OpenedSocket(socket, caller, request));
    }
}

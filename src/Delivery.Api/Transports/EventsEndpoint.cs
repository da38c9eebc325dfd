using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.Features;

namespace Pipeline.Delivery.Api;

/// <summary><c>GET /v1/events</c>: one resource, three transports (PROTOCOL.md, "Reading").</summary>
public static class EventsEndpoint
{
    private static readonly string[] Paths = ["/v1/events", "/ws"];
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Connect];

    /// <summary>
    /// Maps <c>/v1/events</c>, <c>/ws</c> and <c>/v1/threads/{thread}/events</c>. The endpoints ask for a token themselves,
    /// since a WebSocket's may come as a subprotocol.
    /// </summary>
    internal static void MapEvents(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var branch = routes.CreateApplicationBuilder();
        branch.Use(static (context, next) =>
        {
            if (context.Features.Get<IHttpUpgradeFeature>() is { } upgrade)
            {
                context.Features.Set<IHttpUpgradeFeature>(new KeptUpgrade(upgrade));
            }

            return next(context);
        });
        branch.UseWebSockets();
        branch.Run(ServeAsync);
        var serve = branch.Build();
        foreach (var path in Paths)
        {
            routes.MapMethods(path, Methods, serve).AllowAnonymous().ExcludeFromDescription();
        }

        routes.MapGet(
                "/v1/threads/{thread}/events",
                (HttpContext context, ThreadEvents events) =>
                    events.RunAsync(context, Caller.Of(context), RequestIds.FromPath(context.Request, "thread")))
            .RequireAuthorization()
            .ExcludeFromDescription();
    }

    /// <summary>Whether a request is for this resource.</summary>
    internal static bool IsAt(PathString path) => Paths.Contains(path.Value?.TrimEnd('/'), StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether the client prefers server-sent events to JSON (RFC 9110, 12.5.1): by quality, then by order.</summary>
    internal static bool WantsEventStream(HttpRequest request) =>
        request.GetTypedHeaders().Accept
            .Where(type => type.Quality is not 0)
            .OrderByDescending(type => type.Quality ?? 1)
            .Select(type => type.MediaType.Value)
            .FirstOrDefault(type => IsOneOf(type, "text/event-stream", "application/json", "application/*", "*/*")) is { } first
        && IsOneOf(first, "text/event-stream");

    private static bool IsOneOf(string? type, params ReadOnlySpan<string> types)
    {
        foreach (var one in types)
        {
            if (string.Equals(type, one, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static async Task ServeAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            await context.RequestServices.GetRequiredService<WebSocketTransport>().AcceptAsync(context);
            return;
        }

        if (context.Request.Headers.Upgrade.ToString().Equals("websocket", StringComparison.OrdinalIgnoreCase))
        {
            await DescribeUpgrade(context).ExecuteAsync(context);
            return;
        }

        if (Caller.Find(context) is not { } caller)
        {
            await context.ChallengeAsync();
            return;
        }

        var request = EventsRequest.Read(context.Request);
        if (WantsEventStream(context.Request))
        {
            await context.RequestServices.GetRequiredService<SseTransport>().RunAsync(context, caller, request);
            return;
        }

        await context.RequestServices.GetRequiredService<JsonTransport>().RunAsync(context, caller, request);
    }

    // RFC 6455, 4.2: what asks for an upgrade and is no handshake.
    private static IResult DescribeUpgrade(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (headers.SecWebSocketVersion == "13" && headers.Connection.ToString().Contains("upgrade", StringComparison.OrdinalIgnoreCase))
        {
            return Problem.BadRequest("Sec-WebSocket-Key", "Sec-WebSocket-Key is missing or no 16 bytes in base64; this is no WebSocket handshake");
        }

        context.Response.Headers.SecWebSocketVersion = "13";
        return Problem.Of(
            StatusCodes.Status426UpgradeRequired,
            "Upgrade required",
            $"the request has Upgrade: websocket with Connection '{headers.Connection}' and Sec-WebSocket-Version '{headers.SecWebSocketVersion}'; "
                + "send Connection: Upgrade and version 13, and have proxies pass both headers on");
    }
}

using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.Features;

namespace Pipeline.Delivery.Api;

/// <summary><c>GET /v1/events</c>: one resource, three transports (PROTOCOL.md, "Reading").</summary>
public static class EventsEndpoint
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Connect];

    /// <summary>
    /// Maps <c>/v1/events</c>, <c>/ws</c> and <c>/v1/threads/{thread}/events</c>. The endpoints ask for a token themselves,
    /// since a WebSocket's may come as a subprotocol.
    /// </summary>
    public static void MapEvents(this IEndpointRouteBuilder routes)
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
        routes.MapMethods("/v1/events", Methods, serve).AllowAnonymous().ExcludeFromDescription();
        routes.MapMethods("/ws", Methods, serve).AllowAnonymous().ExcludeFromDescription();
        routes.MapGet(
                "/v1/threads/{thread}/events",
                (HttpContext context, string thread, ThreadEvents events) =>
                    events.RunAsync(context, Caller.Of(context), RequestIds.FromPath("thread", thread)))
            .RequireAuthorization()
            .ExcludeFromDescription();
    }

    private static async Task ServeAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            await context.RequestServices.GetRequiredService<WebSocketTransport>().RunAsync(context);
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

    private static bool WantsEventStream(HttpRequest request) =>
        request.GetTypedHeaders().Accept.Any(type => type.MediaType.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase));
}

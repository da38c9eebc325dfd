namespace Pipeline.Delivery.Api;

/// <summary>What operators and load balancers ask. None of it needs a token, none of it waits for a dependency.</summary>
internal static class HealthEndpoints
{
    public static IServiceCollection AddNodeHealth(this IServiceCollection services)
    {
        services.AddSingleton<NodeState>();
        services.AddHostedService(provider => provider.GetRequiredService<NodeState>());
        services.AddSingleton<DependencyHistory>();
        services.AddHostedService(provider => provider.GetRequiredService<DependencyHistory>());
        services.AddSingleton<NodeStatus>();
        return services;
    }

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/status", (NodeStatus status) => Uncached(status.Describe()))
            .WithName("status").WithTags("health")
            .WithSummary("This node, its dependencies, its relay and its canary: ok or degraded, and since when")
            .Produces<StatusBody>();

        routes.MapGet("/health/live", () => Uncached(new HealthBody("live")))
            .WithName("live").WithTags("health").WithSummary("The process answers")
            .Produces<HealthBody>();

        routes.MapGet("/health/ready", (NodeState node) =>
                Uncached(new HealthBody(node.Current), node.Current == "ready" ? 200 : 503))
            .WithName("ready").WithTags("health").WithSummary("Started and not draining; no dependency has a say")
            .Produces<HealthBody>().Produces<HealthBody>(503);
    }

    private static UncachedJson<T> Uncached<T>(T body, int status = 200) => new(body, status);

    private sealed class UncachedJson<T>(T body, int status) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.CacheControl = "no-store";
            return Results.Json(body, statusCode: status).ExecuteAsync(httpContext);
        }
    }
}

/// <param name="Status"><c>live</c>; <c>starting</c>, <c>ready</c> or <c>draining</c>.</param>
public sealed record HealthBody(string Status);

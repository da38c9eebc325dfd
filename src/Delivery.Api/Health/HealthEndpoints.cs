using System.Reflection;
using Pipeline.Messaging;

namespace Pipeline.Delivery.Api;

/// <summary>What operators and load balancers ask. None of it needs a token, none of it waits for a dependency.</summary>
internal static class HealthEndpoints
{
    private const string Ok = "ok";
    private const string Degraded = "degraded";

    private static readonly string Version =
        typeof(HealthEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static IServiceCollection AddNodeHealth(this IServiceCollection services)
    {
        services.AddSingleton<NodeState>();
        services.AddHostedService(provider => provider.GetRequiredService<NodeState>());
        services.AddSingleton<DependencyHistory>();
        services.AddHostedService(provider => provider.GetRequiredService<DependencyHistory>());
        return services;
    }

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/status", (NodeState node, DependencyHistory history, BusHealth bus, AuthorityKeys keys) =>
                Uncached(Status(node, history, bus, keys)))
            .WithName("status").WithTags("health")
            .WithSummary("This node and each of its dependencies: ok or degraded, and since when")
            .Produces<StatusBody>();

        routes.MapGet("/health/live", () => Uncached(new HealthBody("live")))
            .WithName("live").WithTags("health").WithSummary("The process answers")
            .Produces<HealthBody>();

        routes.MapGet("/health/ready", (NodeState node) =>
                Uncached(new HealthBody(node.Current), node.Current == "ready" ? 200 : 503))
            .WithName("ready").WithTags("health").WithSummary("Started and not draining; no dependency has a say")
            .Produces<HealthBody>().Produces<HealthBody>(503);
    }

    private static StatusBody Status(NodeState node, DependencyHistory history, BusHealth bus, AuthorityKeys keys)
    {
        var (busOk, busSince) = history.Of(Degradation.Bus);
        var (logOk, logSince) = history.Of(Degradation.Log);
        List<DependencyBody> dependencies =
        [
            new(Degradation.Bus, busOk ? Ok : Degraded, busSince, bus.LastConfirm),
            new(Degradation.Log, logOk ? Ok : Degraded, logSince, null),
        ];
        if (keys.Needed)
        {
            var since = keys.FirstFetchedAt ?? node.StartedAt;
            dependencies.Add(new("keys", keys.Known ? Ok : Degraded, since, keys.LastFetchedAt));
        }

        var all = dependencies.TrueForAll(d => d.Status == Ok) ? Ok : Degraded;
        return new StatusBody(all, node.Current, node.Name, Version, node.StartedAt, dependencies);
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

/// <param name="Status"><c>ok</c> or <c>degraded</c>.</param>
/// <param name="State"><c>starting</c>, <c>ready</c> or <c>draining</c>.</param>
/// <param name="Node">Machine and process id.</param>
public sealed record StatusBody(
    string Status, string State, string Node, string Version, DateTimeOffset StartedAt, IReadOnlyList<DependencyBody> Dependencies);

/// <param name="Name"><c>bus</c>, <c>log</c>; <c>keys</c> where an authority signs the tokens.</param>
/// <param name="Since">When it became so, as this node saw it.</param>
/// <param name="LastConfirm">When it last confirmed something to this node: a publish, a fetch of keys; null for never.</param>
public sealed record DependencyBody(string Name, string Status, DateTimeOffset Since, DateTimeOffset? LastConfirm);

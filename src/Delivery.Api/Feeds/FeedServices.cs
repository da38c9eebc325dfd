using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

public static class FeedServices
{
    /// <summary>
    /// Adds feeds, subscriptions and transports. The host gives the pages of the bus to <see cref="FeedHub"/> and adds
    /// persistence, the bus and authentication itself.
    /// </summary>
    public static IServiceCollection AddFeeds(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<FeedOptions>().BindConfiguration(FeedOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<FeedOptions>, FeedOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<Degradation>();
        services.AddSingleton<DeliveryMetrics>();
        services.AddSingleton<FeedHub>();
        services.AddSingleton<LogReplay>();
        services.AddSingleton<AckCoalescer>();
        services.AddSingleton<Connections>();
        services.AddSingleton<SubscriptionServices>();
        services.AddSingleton<OriginPolicy>();
        services.AddSingleton<PushLoop>();
        services.AddSingleton<WebSocketTransport>();
        services.AddSingleton<SseTransport>();
        services.AddSingleton<JsonTransport>();
        services.AddSingleton<ThreadEvents>();
        services.AddHostedService<HeadPoller>();
        services.AddHostedService(provider => provider.GetRequiredService<AckCoalescer>());
        return services;
    }
}

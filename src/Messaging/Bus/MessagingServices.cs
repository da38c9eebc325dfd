using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Messaging;

public static class MessagingServices
{
    /// <summary>
    /// Adds this process's relay (every process that appends has one), and what <paramref name="configure"/> asks for;
    /// options from section <c>Bus</c>. On RabbitMQ two connections: publish and consume. Needs
    /// <see cref="Persistence.PersistenceServices"/>. Hosted services that append and shall be relayed to the end belong behind it:
    /// they stop first.
    /// </summary>
    /// <param name="name">Name of the host in the RabbitMQ UI, for example <c>agents-worker</c>.</param>
    public static IServiceCollection AddPipelineBus(
        this IServiceCollection services, string name, Action<PipelineBusBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(configure);

        services.AddOptions<BusOptions>().BindConfiguration(BusOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<BusOptions>, BusOptionsValidator>();
        services.AddSingleton(provider => new SettingsCheck(
            services, provider, provider.GetRequiredService<IConfiguration>()));
        services.AddMetrics();
        services.Configure<LoggerFilterOptions>(QuietMassTransit);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(new BusName(name));
        services.AddSingleton<MessagingMetrics>();
        services.AddSingleton<BusHealth>();
        services.AddSingleton<BusConnections>();
        services.AddSingleton<BusPublisher>();
        services.AddSingleton<ConfirmedPublisher>();
        services.AddSingleton<PageStream>();
        services.AddSingleton(provider => new RelayBacklog(
            provider.GetRequiredService<PageStream>(), provider.GetRequiredService<Persistence.OutboxHandover>()));
        services.AddSingleton<TypedEvents>();
        services.AddSingleton<MessageLanes>();
        services.AddSingleton<OutboxCleaner>();

        // Stopped in reverse: the relay drains while the connections still stand.
        services.AddHostedService(provider => provider.GetRequiredService<BusConnections>());
        configure(new PipelineBusBuilder(services));
        services.AddHostedService<ConsumeWatch>();
        services.AddHostedService<Relay>();
        services.AddHostedService<Sweeper>();
        return services;
    }

    // While the broker is away, or refuses, MassTransit warns and reports an error, with a stack trace, at every attempt; this
    // assembly says it once. Any rule of the configuration for MassTransit takes the place of these.
    private static void QuietMassTransit(LoggerFilterOptions logging)
    {
        const string Category = "MassTransit";
        if (!logging.Rules.Any(rule => rule.CategoryName?.StartsWith(Category, StringComparison.Ordinal) == true))
        {
            logging.Rules.Add(new LoggerFilterRule(providerName: null, Category, LogLevel.Critical, filter: null));
            logging.Rules.Add(new LoggerFilterRule(providerName: null, $"{Category}.ReceiveTransport", LogLevel.Error, filter: null));
        }
    }
}

/// <summary>What a host takes from the bus.</summary>
public sealed class PipelineBusBuilder
{
    private readonly IServiceCollection _services;

    internal PipelineBusBuilder(IServiceCollection services) => _services = services;

    /// <summary>Gives every page to the singleton <typeparamref name="T"/> through this process's own queue.</summary>
    public PipelineBusBuilder SubscribePages<T>()
        where T : class, IPageSubscriber => Consume<PageEndpoint, T>();

    /// <summary>Gives commands to the singleton <typeparamref name="T"/>.</summary>
    public PipelineBusBuilder HandleRunCommands<T>()
        where T : class, IRunCommandHandler => Consume<StartRunEndpoint, T>().Consume<CancelRunEndpoint, T>();

    private PipelineBusBuilder Consume<TEndpoint, T>()
        where TEndpoint : ConsumeEndpoint
        where T : class
    {
        _services.AddSingleton<ConsumeEndpoint>(
            provider => ActivatorUtilities.CreateInstance<TEndpoint>(provider, provider.GetRequiredService<T>()));
        return this;
    }
}

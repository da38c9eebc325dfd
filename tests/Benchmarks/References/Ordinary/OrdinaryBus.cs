using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Pipeline.Benchmarks;

/// <summary>MassTransit as its documentation sets it up, on the broker of the run. Prefetch and concurrency are its own choice.</summary>
internal static class OrdinaryBus
{
    public static void AddOrdinaryBus(
        this IServiceCollection services, IConfiguration configuration, Action<IBusRegistrationConfigurator>? configure = null)
    {
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            configure?.Invoke(bus);
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(configuration["Bus:Host"]!, configuration.GetValue<ushort>("Bus:Port"), configuration["Bus:VirtualHost"]!, host =>
                {
                    host.Username(configuration["Bus:Username"]!);
                    host.Password(configuration["Bus:Password"]!);
                });
                rabbit.ConfigureEndpoints(context);
            });
        });

        // Who has started consumes already.
        services.Configure<MassTransitHostOptions>(host => host.WaitUntilStarted = true);
    }
}

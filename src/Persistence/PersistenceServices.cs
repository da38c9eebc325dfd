using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>Adds this library to a host.</summary>
public static class PersistenceServices
{
    /// <summary>Adds the log, outbox, runs and acks; options from section <c>Persistence</c>.</summary>
    /// <param name="role">What this process is to an operator, for example <c>agents-worker</c>.</param>
    public static IServiceCollection AddPipelinePersistence(this IServiceCollection services, string role)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(role);
        services.AddOptions<PersistenceOptions>().BindConfiguration(PersistenceOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<PersistenceOptions>, PersistenceOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<Failpoints>();
        services.AddSingleton(new ProcessIdentity(Guid.CreateVersion7(), Environment.MachineName, role));
        services.AddSingleton<EventEncoder>();
        services.AddSingleton<OutboxHandover>();
        services.AddSingleton<PipelineDatabase>();
        services.AddSingleton<AppendRunner>();
        services.AddSingleton<GroupAppender>();
        services.AddSingleton<SameDatabase>();
        services.AddSingleton<CallerCommit>();
        services.AddSingleton(provider => new EventLog(
            provider.GetRequiredService<PipelineDatabase>(),
            provider.GetRequiredService<EventEncoder>(),
            provider.GetRequiredService<GroupAppender>(),
            provider.GetRequiredService<CallerCommit>(),
            provider.GetRequiredService<SameDatabase>()));
        services.AddScoped<AgentEventPublisher>();
        services.AddSingleton<CanaryStream>();
        services.AddSingleton<LogReader>();
        services.AddSingleton<LogAdmin>();
        services.AddSingleton<SchemaCheck>();
        services.AddHostedService<SchemaWatch>();
        services.AddHostedService<RetentionTrimmer>();
        services.AddHostedService<IdempotencyCleaner>();
        services.AddSingleton<OutboxStore>();
        services.AddSingleton<RunStore>();
        services.AddSingleton<RunClaims>();
        services.AddSingleton<LostRuns>();
        services.AddSingleton<AckStore>();
        services.AddSingleton<ProcessLease>();
        services.AddHostedService(provider => provider.GetRequiredService<ProcessLease>());
        return services;
    }
}

using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Pipeline.Agents.Worker;

public static class WorkerServices
{
    /// <summary>
    /// Adds what executes runs, and the built-in <c>demo</c> agent; options from section <c>Worker</c>. Add persistence
    /// and the bus (with <c>HandleRunCommands&lt;RunCommands&gt;()</c>) before it: what is added first is stopped last,
    /// and the last events of stopping runs have to be published.
    /// </summary>
    public static IServiceCollection AddAgentWorker(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddOptions<WorkerOptions>().BindConfiguration(WorkerOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<WorkerOptions>, WorkerOptionsValidator>();
        services.AddSingleton<AgentCatalog>();
        services.AddSingleton(provider => provider.GetRequiredService<AgentCatalog>().Known);
        services.AddSingleton<WorkerMetrics>();
        services.AddSingleton<RunHistory>();
        services.AddSingleton<RunExecutor>();
        services.AddSingleton<RunSlots>();
        services.AddSingleton<RunFinder>();
        services.AddSingleton<LeaseWatch>();
        services.AddSingleton<RunScheduler>();
        services.AddSingleton(provider => new RunCommands(
            provider.GetRequiredService<RunSlots>(), provider.GetRequiredService<RunFinder>(),
            provider.GetRequiredService<ILogger<RunCommands>>()));
        services.AddHostedService(provider => provider.GetRequiredService<RunScheduler>());
        services.AddSingleton<IPostConfigureOptions<HostOptions>, ShutdownTimeout>();
        return services.AddAgent<DemoAgent>();
    }

    /// <summary>The host must not give up before the runs had their grace.</summary>
    private sealed class ShutdownTimeout(IOptions<WorkerOptions> worker) : IPostConfigureOptions<HostOptions>
    {
        // The last writes of runs and the scheduler's loops; then relay 5 s, goodbye 1 s, endpoints 2 s, bus 5 s, process lease 2 s.
        private static readonly TimeSpan ForTheRest = (3 * RunScheduler.ForLastWrites) + TimeSpan.FromSeconds(15);

        public void PostConfigure(string? name, HostOptions options)
        {
            try
            {
                var needed = worker.Value.StopGrace + worker.Value.CancelGrace + ForTheRest;
                options.ShutdownTimeout = TimeSpan.FromTicks(Math.Max(options.ShutdownTimeout.Ticks, needed.Ticks));
            }
            catch (Exception problem) when (problem is OptionsValidationException or InvalidOperationException)
            {
                // Asked for while the host is built; the start reads and checks every section and reports them together.
            }
        }
    }
}

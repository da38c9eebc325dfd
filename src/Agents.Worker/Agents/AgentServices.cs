using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Pipeline.Agents.Worker;

public static class AgentServices
{
    /// <summary>
    /// Lets this worker execute runs that ask for the agent. <typeparamref name="T"/> is a scoped service: one instance
    /// a run, with whatever its constructor asks for. One instance more is made at start to read its name.
    /// A worker executes only runs of agents that it has; a run that asks for one that no worker had for a minute ends with
    /// <c>agent_failed {reason: unknown_agent}</c>.
    /// </summary>
    public static IServiceCollection AddAgent<T>(this IServiceCollection services)
        where T : class, IAgent
    {
        services.TryAddScoped<T>();
        services.AddSingleton(new AgentRegistration(typeof(T)));
        return services;
    }
}

internal sealed record AgentRegistration(Type Type);

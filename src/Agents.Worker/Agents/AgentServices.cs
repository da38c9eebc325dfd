using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Pipeline.Agents.Worker;

public static class AgentServices
{
    /// <summary>
    /// Lets this worker execute runs that ask for the agent. <typeparamref name="T"/> is a scoped service: one instance
    /// a run, with whatever its constructor asks for. One instance more is made at start to read its name.
    /// Every worker of a deployment must know the same agents: a worker ends runs that ask for one it does not know.
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

using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>The agents this worker knows, by name.</summary>
internal sealed class AgentCatalog
{
    private readonly Dictionary<string, AgentDescription> _agents = new(StringComparer.Ordinal);

    /// <exception cref="InvalidOperationException">A name is no id, or two agents share one; lists every such fault.</exception>
    public AgentCatalog(IEnumerable<AgentRegistration> registrations, IServiceScopeFactory scopes)
    {
        var problems = new List<string>();
        using var scope = scopes.CreateScope();
        foreach (var type in registrations.Select(r => r.Type).Distinct())
        {
            var agent = (IAgent)scope.ServiceProvider.GetRequiredService(type);
            if (Limits.DescribeInvalidId(agent.Name) is { } problem)
            {
                problems.Add($"The name of agent {type} {problem}");
            }
            else if (!_agents.TryAdd(agent.Name, new AgentDescription(type, agent.CanResume)))
            {
                problems.Add($"{type} and {_agents[agent.Name].Type} are both named '{agent.Name}'; rename one");
            }
        }

        if (problems.Count > 0)
        {
            throw new InvalidOperationException(string.Join(Environment.NewLine, problems));
        }
    }

    public IReadOnlyCollection<string> Names => _agents.Keys;

    /// <summary>What claims go by, and other processes see.</summary>
    public KnownAgents Known => new([.. _agents.Keys], [.. _agents.Where(a => a.Value.CanResume).Select(a => a.Key)]);

    /// <exception cref="InvalidOperationException">No agent of that name here, which no claim lets happen.</exception>
    public AgentDescription Get(string name) => _agents.GetValueOrDefault(name)
        ?? throw new InvalidOperationException($"A run of agent '{name}' was claimed, which this worker does not have");

    public bool CanResume(string name) => _agents.GetValueOrDefault(name) is { CanResume: true };
}

internal sealed record AgentDescription(Type Type, bool CanResume);

using Microsoft.Extensions.DependencyInjection;

namespace Pipeline.Persistence;

public static class PersistenceServices
{
    /// <summary>Adds the log, outbox, runs and acks; options from section <c>Persistence</c>.</summary>
    public static IServiceCollection AddPipelinePersistence(this IServiceCollection services, string role) =>
        throw new NotImplementedException();
}

using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Scoped: collects events while a unit of work goes on, and appends them with it. What was published and never
/// committed is logged as an error when the scope ends.
/// </summary>
public sealed class AgentEventPublisher : IDisposable
{
    /// <summary>Notes the event for <see cref="CommitAsync"/>.</summary>
    public void Publish(AgentEvent @event) => throw new NotImplementedException();

    /// <summary>Saves <paramref name="db"/> and commits what was published, as <see cref="EventLog.CommitAsync"/>.</summary>
    public Task<AppendResult> CommitAsync(DbContext db, CancellationToken cancellationToken) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

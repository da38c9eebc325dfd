using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Appends events: the transactional outbox.</summary>
public sealed class EventLog
{
    /// <summary>
    /// Saves the caller's changes, appends the events and commits, as one; then hands the events to this process's relay.
    /// </summary>
    public Task<AppendResult> CommitAsync(
        DbContext db, IReadOnlyList<AgentEvent> events, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Appends inside a transaction that the caller owns and commits. Locks the streams at once; a savepoint undoes it.
    /// Any process's relay publishes the events within 250 ms of the commit.
    /// </summary>
    public Task<AppendResult> AppendAsync(
        DbTransaction transaction, IReadOnlyList<AgentEvent> events, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Appends in a transaction of its own: all or nothing; an unknown outcome is settled by the ids.</summary>
    public Task<AppendResult> AppendAsync(
        IReadOnlyList<NewEvent> events, CancellationToken cancellationToken) => throw new NotImplementedException();
}

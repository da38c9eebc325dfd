namespace Pipeline.Persistence;

/// <summary>The outbox table. No method holds a lock when it returns.</summary>
public sealed class OutboxStore
{
    /// <summary>Deletes rows after the broker confirmed. Rows that are gone already are no error.</summary>
    public Task DeleteAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Makes rows without an owner this process's own and reads what they point at, oldest first.</summary>
    public Task<IReadOnlyList<CommittedBatch>> TakeUnownedAsync(int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The same for rows of owners whose lease expired, or who are not in the process table at all.</summary>
    public Task<IReadOnlyList<CommittedBatch>> TakeAbandonedAsync(
        IReadOnlyCollection<Guid> expired, int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Ids of this process's own rows, oldest first: the relay compares them with what it holds.</summary>
    public Task<IReadOnlyList<long>> ReadOwnIdsAsync(int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>What rows point at, read from the log. Ranges that retention removed are left out.</summary>
    public Task<IReadOnlyList<CommittedBatch>> ReadAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken) => throw new NotImplementedException();
}

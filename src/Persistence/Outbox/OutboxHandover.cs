using System.Diagnostics.CodeAnalysis;

namespace Pipeline.Persistence;

/// <summary>
/// From the committing code to this process's relay, in memory and bounded in bytes. What does not fit, or is lost with
/// the process, is found in the outbox by a sweep.
/// </summary>
public sealed class OutboxHandover
{
    /// <summary>Called after a commit. False: full, the sweep will find it.</summary>
    public bool TryOffer(CommittedBatch batch) => throw new NotImplementedException();

    /// <summary>Waits until there is something to take.</summary>
    public ValueTask WaitAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Takes the oldest batch. It stays held until <see cref="Release"/>.</summary>
    public bool TryTake([NotNullWhen(true)] out CommittedBatch? batch) => throw new NotImplementedException();

    /// <summary>Whether the row is in this process's memory: offered and not yet released.</summary>
    public bool Holds(long outboxId) => throw new NotImplementedException();

    /// <summary>The batch was confirmed and its row deleted, or it is given up to the sweep.</summary>
    public void Release(CommittedBatch batch) => throw new NotImplementedException();
}

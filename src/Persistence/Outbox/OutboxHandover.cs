using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>
/// From the committing code to this process's relay, in memory and bounded in bytes. What does not fit, or is lost with
/// the process, is found in the outbox by a sweep.
/// </summary>
public sealed class OutboxHandover(IOptions<PersistenceOptions> options)
{
    // What a batch costs beside its bodies; bounds the number of commands, which have none.
    private const int Overhead = 512;

    private readonly long _limit = options.Value.HandoverBytes;
    private readonly ConcurrentDictionary<long, CommittedBatch> _held = new();
    private readonly Channel<CommittedBatch> _queue = Channel.CreateUnbounded<CommittedBatch>();
    private long _bytes;

    /// <summary>Called after a commit. False: full, the sweep will find it.</summary>
    public bool TryOffer(CommittedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var cost = batch.Bytes + Overhead;
        var bytes = Interlocked.Add(ref _bytes, cost);

        // One batch larger than the limit is let in when nothing else is held, or it would never be.
        if ((bytes > _limit && bytes > cost) || !_held.TryAdd(batch.OutboxId, batch))
        {
            Interlocked.Add(ref _bytes, -cost);
            return Holds(batch.OutboxId);
        }

        return _queue.Writer.TryWrite(batch);
    }

    /// <summary>Waits until there is something to take.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken) =>
        await _queue.Reader.WaitToReadAsync(cancellationToken);

    /// <summary>Takes the oldest batch. It stays held until <see cref="Release"/>.</summary>
    public bool TryTake([NotNullWhen(true)] out CommittedBatch? batch) => _queue.Reader.TryRead(out batch);

    /// <summary>Whether the row is in this process's memory: offered and not yet released.</summary>
    public bool Holds(long outboxId) => _held.ContainsKey(outboxId);

    /// <summary>The batch was confirmed and its row deleted, or it is given up to the sweep.</summary>
    public void Release(CommittedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_held.TryRemove(batch.OutboxId, out var held))
        {
            Interlocked.Add(ref _bytes, -(held.Bytes + Overhead));
        }
    }
}

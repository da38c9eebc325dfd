using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>
/// From the committing code to this process's relay, in memory and bounded in bytes. What does not fit, or is lost with
/// the process, is found in the outbox by a sweep. Thread-safe.
/// </summary>
public sealed class OutboxHandover(IOptions<PersistenceOptions> options)
{
    private const int MostSetAside = 100_000;

    private readonly long _limit = options.Value.HandoverBytes;

    // An id alone does not tell rows apart: a failover that lost commits gives ids again.
    private readonly ConcurrentDictionary<(long Generation, long Id), CommittedBatch> _held = new();
    private readonly ConcurrentDictionary<(long Generation, long Id), string> _setAside = new();
    private readonly ConcurrentQueue<CommittedBatch> _queue = new();
    private long _bytes;
    private long _refused;

    /// <summary>
    /// Raised when there is something to take. Who subscribes is the relay: in a process without one nothing is kept, and its
    /// outbox rows are nobody's, so that any other process publishes them.
    /// </summary>
    public event Action? Offered;

    /// <summary>Whether there is a relay.</summary>
    internal bool HasRelay => Offered is not null;

    /// <summary>How many offers were refused so far.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Bytes that would still be let in.</summary>
    public long Room => Math.Max(0, _limit - Interlocked.Read(ref _bytes));

    /// <summary>Bytes of what is held, bodies and the rest, about.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>How many batches are held: confirmed ones too, until their rows are deleted.</summary>
    public int Count => _held.Count;

    /// <summary>Whether rows that are set aside can no longer be told from forgotten ones.</summary>
    public bool IsSetAsideFull => _setAside.Count >= MostSetAside;

    /// <summary>Whom this process's outbox rows belong to; null for nobody.</summary>
    internal Guid? OwnerIn(ProcessIdentity process) => HasRelay ? process.Id : null;

    /// <summary>Called after a commit. False: full, the sweep will find it.</summary>
    public bool TryOffer(CommittedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (!HasRelay)
        {
            return true;
        }

        var bytes = Interlocked.Add(ref _bytes, batch.Cost);

        // One batch larger than the limit is let in when nothing else is held, or it would never be.
        if ((bytes > _limit && bytes > batch.Cost) || !_held.TryAdd(Key(batch), batch))
        {
            Interlocked.Add(ref _bytes, -batch.Cost);
            var isHeld = _held.ContainsKey(Key(batch));
            Interlocked.Add(ref _refused, isHeld ? 0 : 1);
            return isHeld;
        }

        _queue.Enqueue(batch);
        Offered?.Invoke();
        return true;
    }

    /// <summary>Takes the oldest batch. It stays held until <see cref="Release"/> or <see cref="SetAside"/>.</summary>
    public bool TryTake([NotNullWhen(true)] out CommittedBatch? batch) => _queue.TryDequeue(out batch);

    /// <summary>Whether this process knows of the row: it was offered and not released.</summary>
    public bool Holds(long generation, long outboxId) =>
        _held.ContainsKey((generation, outboxId)) || _setAside.ContainsKey((generation, outboxId));

    /// <summary>The batch was confirmed and its row deleted.</summary>
    public void Release(CommittedBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_held.TryRemove(Key(batch), out var held))
        {
            Interlocked.Add(ref _bytes, -held.Cost);
        }
    }

    /// <summary>Lets go of the batch and keeps its row in mind: its events were published, other messages of it were not.</summary>
    /// <param name="reason">What they wait for; see <see cref="TakeUp"/>.</param>
    public void SetAside(CommittedBatch batch, string reason)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (!IsSetAsideFull)
        {
            _setAside[Key(batch)] = reason;
        }

        Release(batch);
    }

    /// <summary>Leaves the rows that were set aside for these reasons to the sweep.</summary>
    public void TakeUp(Func<string, bool> reasons)
    {
        ArgumentNullException.ThrowIfNull(reasons);
        foreach (var (key, reason) in _setAside)
        {
            if (reasons(reason))
            {
                _setAside.TryRemove(key, out _);
            }
        }
    }

    private static (long Generation, long Id) Key(CommittedBatch batch) => (batch.Generation, batch.OutboxId);
}

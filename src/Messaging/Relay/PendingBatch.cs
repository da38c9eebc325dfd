using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// A batch on its way to the broker. Begins with one hold; whoever still has something of it to publish takes another.
/// </summary>
/// <param name="since">When the relay took it in.</param>
/// <param name="done">Called when the last hold is gone: everything was confirmed, except what is <see cref="Owed"/>.</param>
internal sealed class PendingBatch(CommittedBatch batch, long since, Action<PendingBatch> done)
{
    private int _holds = 1;
    private string? _owed;

    public CommittedBatch Batch { get; } = batch;

    public long Since { get; } = since;

    /// <summary>The first message lane that had no room for its part; null when all had: only then the outbox row may go.</summary>
    public string? Owed => Volatile.Read(ref _owed);

    public void Owe(string lane) => Interlocked.CompareExchange(ref _owed, lane, null);

    public void Hold() => Interlocked.Increment(ref _holds);

    public void Done()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
        {
            done(this);
        }
    }
}

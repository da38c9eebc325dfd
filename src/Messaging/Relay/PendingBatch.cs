using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// A batch on its way to the broker. Begins with one hold; whoever still has something of it to publish takes another.
/// When the last is done, everything was confirmed and the outbox row may go.
/// </summary>
internal sealed class PendingBatch(CommittedBatch batch, Action<CommittedBatch> confirmed)
{
    private int _holds = 1;

    public CommittedBatch Batch { get; } = batch;

    public void Hold() => Interlocked.Increment(ref _holds);

    public void Done()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
        {
            confirmed(Batch);
        }
    }
}

using System.Threading.Channels;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes single messages of batches, begun in order, at most <paramref name="window"/> unconfirmed. Typed events and
/// commands have a lane each, so that neither waits for the other, nor a page for any of them.
/// </summary>
internal sealed class MessageLane(
    Func<CommittedBatch, IEnumerable<object>> messagesOf,
    int window,
    BusPublisher bus,
    ConfirmedPublisher publisher,
    MessagingMetrics metrics) : IDisposable
{
    private readonly Channel<PendingBatch> _batches = Channel.CreateUnbounded<PendingBatch>(new() { SingleReader = true });
    private readonly SemaphoreSlim _slots = new(window);

    /// <summary>Takes a batch in and holds it until its messages are confirmed.</summary>
    public void Add(PendingBatch batch)
    {
        batch.Hold();
        _batches.Writer.TryWrite(batch);
    }

    /// <summary>No more batches: <see cref="RunAsync"/> returns when all are confirmed.</summary>
    public void Complete() => _batches.Writer.TryComplete();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var batch in _batches.Reader.ReadAllAsync(cancellationToken))
        {
            foreach (var message in messagesOf(batch.Batch))
            {
                await _slots.WaitAsync(cancellationToken);
                batch.Hold();
                _ = PublishAsync(batch, message, cancellationToken);
            }

            batch.Done();
        }

        for (var i = 0; i < window; i++)
        {
            await _slots.WaitAsync(cancellationToken);
        }
    }

    public void Dispose() => _slots.Dispose();

    // Owned by its slot: RunAsync ends when every slot is back, or when the token that ends this too was cancelled.
    private async Task PublishAsync(PendingBatch batch, object message, CancellationToken cancellationToken)
    {
        var type = message.GetType().Name;
        try
        {
            await publisher.UntilConfirmedAsync(type, token => bus.PublishAsync(message, token), asBeacons: false, cancellationToken);
            metrics.MessageConfirmed(type);
            batch.Done();
        }
        catch (OperationCanceledException)
        {
            // Stopped: the outbox row stays, and another process publishes it.
        }
        finally
        {
            _slots.Release();
        }
    }
}

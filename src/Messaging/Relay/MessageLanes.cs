using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes what batches owe beside their pages: typed events and commands. Each type has a lane, so that none waits for
/// another, nor a page for any of them; together they hold at most a part of the hand-over's memory.
/// </summary>
internal sealed class MessageLanes(
    TypedEvents typed,
    BusPublisher bus,
    ConfirmedPublisher publisher,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    IOptions<PersistenceOptions> persistence) : IDisposable
{
    // There are about a dozen types: most of the hand-over stays free for events that wait for their page.
    private const int ShareOfHandover = 32;

    private readonly ConcurrentDictionary<string, (MessageLane Lane, Task Running)> _lanes = new(StringComparer.Ordinal);

    public ConfirmedPublisher Publisher => publisher;

    /// <summary>Takes a batch in and holds it for each of its types. One thread at a time.</summary>
    /// <param name="cancellationToken">Ends the lanes; the same one for all batches.</param>
    public void Add(PendingBatch batch, CancellationToken cancellationToken)
    {
        foreach (var type in typed.TypesIn(batch.Batch))
        {
            if (!_lanes.TryGetValue(type, out var lane))
            {
                var created = new MessageLane(type, persistence.Value.HandoverBytes / ShareOfHandover, options.Value.PublishTimeout, this);
                _lanes[type] = lane = (created, created.RunAsync(cancellationToken));
            }

            lane.Lane.Add(batch);
        }
    }

    /// <summary>Whether a batch may come again that owes messages of this type.</summary>
    public bool HasRoom(string type) => !_lanes.TryGetValue(type, out var lane) || lane.Lane.HasRoom;

    /// <summary>No more batches: returns when all messages are confirmed, or throws when the lanes' token ended them.</summary>
    public Task CompleteAsync()
    {
        foreach (var (lane, _) in _lanes.Values)
        {
            lane.Complete();
        }

        return Task.WhenAll(_lanes.Values.Select(lane => lane.Running));
    }

    public void Dispose()
    {
        foreach (var (lane, _) in _lanes.Values)
        {
            lane.Dispose();
        }
    }

    internal IEnumerable<object> MessagesOf(CommittedBatch batch, string type) => typed.Of(batch, type);

    internal Task PublishAsync(object message, CancellationToken cancellationToken) => bus.PublishAsync(message, cancellationToken);

    internal void Confirmed(string type) => metrics.MessageConfirmed(type);
}

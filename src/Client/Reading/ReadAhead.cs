using System.Threading.Channels;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>
/// What was received and not yet handed out, in order, and bounded: one writer waits for room, which is what slows the service
/// down; one reader.
/// </summary>
internal sealed class ReadAhead(int mostItems, int mostBytes) : IDisposable
{
    private readonly Channel<ReadItem> _items = Channel.CreateUnbounded<ReadItem>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly SemaphoreSlim _taken = new(0);
    private int _count;
    private long _bytes;

    private bool IsFull => Volatile.Read(ref _count) is var count and > 0 && (count >= mostItems || Interlocked.Read(ref _bytes) >= mostBytes);

    /// <summary>Waits for room, then adds the item.</summary>
    public async ValueTask WriteAsync(ReadItem item, CancellationToken cancellationToken)
    {
        while (IsFull)
        {
            await _taken.WaitAsync(cancellationToken);
        }

        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _bytes, item.Bytes);
        _items.Writer.TryWrite(item);
    }

    /// <summary>Nothing more will come, for the reason that the reader is to see after the last item.</summary>
    public void Complete(Exception problem) => _items.Writer.TryComplete(problem);

    /// <summary>Waits for the next item; throws at the end what there is to see.</summary>
    public async ValueTask<ReadItem> ReadAsync(CancellationToken cancellationToken)
    {
        // A buffer that never runs dry is no reason to overlook that somebody wants to stop.
        cancellationToken.ThrowIfCancellationRequested();
        ReadItem? item;
        while (!_items.Reader.TryRead(out item))
        {
            await _items.Reader.WaitToReadAsync(cancellationToken);
        }

        Interlocked.Decrement(ref _count);
        Interlocked.Add(ref _bytes, -item.Bytes);

        // Only this reader releases, so there is never more than one to take.
        if (_taken.CurrentCount == 0)
        {
            _taken.Release();
        }

        return item;
    }

    public void Dispose() => _taken.Dispose();
}

/// <summary>One step of the reader: an event, a reset, or, with neither, the place where reading starts.</summary>
/// <param name="Cursor">Where the reader is after it.</param>
internal sealed record ReadItem(Cursor Cursor)
{
    public AgentEvent? Event { get; init; }

    public StreamReset? Reset { get; init; }

    public int Bytes { get; init; }
}

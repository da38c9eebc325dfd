namespace Pipeline.Delivery.Api;

/// <summary>
/// How many bytes the node's tails hold, and how many one of them may: who uses it gets it. A quarter is shared evenly, so
/// that a newcomer keeps something on a full node too; the rest belongs to whoever comes first. Thread-safe.
/// </summary>
internal sealed class FeedMemory(FeedOptions options)
{
    private long _used;
    private int _feeds;

    /// <summary>Bytes of the bodies in all tails.</summary>
    public long Used => Interlocked.Read(ref _used);

    public void Opened() => Interlocked.Increment(ref _feeds);

    public void Closed() => Interlocked.Decrement(ref _feeds);

    public void Changed(long by) => Interlocked.Add(ref _used, by);

    /// <summary>What a tail may hold.</summary>
    /// <param name="held">Bytes that it holds already.</param>
    public FeedBounds BoundsOf(long held)
    {
        var even = options.NodeBytes / 4;
        var share = even / Math.Max(1, Volatile.Read(ref _feeds));
        return new FeedBounds(options.FeedEvents, Math.Min(options.FeedBytes, Math.Max(share, held + options.NodeBytes - even - Used)));
    }
}

namespace Pipeline.Messaging;

/// <summary>Takes pages in, in the order of arrival, one at a time. Must not block for long and must not throw.</summary>
public interface IPageSubscriber
{
    /// <summary>Whether this node has readers of the stream now; parts of other streams are left out of its pages.</summary>
    /// <param name="stream">The stream's key as UTF-8.</param>
    bool Wants(ReadOnlySpan<byte> stream) => true;

    /// <summary>
    /// A page or a beacon, this process's own included. A relay that has published nothing yet beacons number 0 and
    /// generation 0.
    /// </summary>
    void OnPage(BusPage page);

    /// <summary>
    /// This process's queue was declared and bound (again): whatever was published before may have been missed. Called
    /// before the first page, after a reconnect, and when a message was unreadable.
    /// </summary>
    void OnRebound();
}

using System.Threading.Channels;

namespace Pipeline.Messaging;

/// <summary>Tells one waiting loop that something changed; what comes while it works is kept for its next wait.</summary>
internal sealed class Wake
{
    private readonly Channel<bool> _signal =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public void Set() => _signal.Writer.TryWrite(true);

    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _signal.Reader.ReadAsync(cancellationToken);
}

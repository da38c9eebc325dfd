using Microsoft.AspNetCore.Http.Features;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Keeps an upgraded connection open when the WebSocket gives it up: after a frame that is no UTF-8 it sends its close frame
/// and disposes the stream at once, and the client would see a reset instead of 1007. What must end at once is aborted
/// through the HTTP context.
/// </summary>
internal sealed class KeptUpgrade(IHttpUpgradeFeature inner) : IHttpUpgradeFeature
{
    private Stream? _stream;

    public bool IsUpgradableRequest => inner.IsUpgradableRequest;

    public async Task<Stream> UpgradeAsync() => _stream = new KeptStream(await inner.UpgradeAsync());

    /// <summary>Lets the client read what was sent, until it hangs up.</summary>
    public async Task LingerAsync(CancellationToken cancellationToken)
    {
        var ignored = new byte[512];
        while (_stream is not null && await _stream.ReadAsync(ignored, cancellationToken) > 0)
        {
        }
    }

    private sealed class KeptStream(Stream inner) : DuplexStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    }
}

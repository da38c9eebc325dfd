using System.IO.Pipelines;
using System.Net.WebSockets;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Both ends of a WebSocket whose network is memory.</summary>
internal sealed class SocketPair : IDisposable
{
    /// <param name="heartbeat">As on a client's connection.</param>
    public SocketPair(TimeSpan heartbeat)
    {
        var (up, down) = (new Pipe(), new Pipe());
        Server = WebSocket.CreateFromStream(new Duplex(up.Reader, down.Writer), new WebSocketCreationOptions
        {
            IsServer = true,
            SubProtocol = Subprotocols.V1,
            KeepAliveInterval = heartbeat,
            KeepAliveTimeout = heartbeat * 2,
        });
        Client = WebSocket.CreateFromStream(
            new Duplex(down.Reader, up.Writer), new WebSocketCreationOptions { IsServer = false, SubProtocol = Subprotocols.V1 });
    }

    public WebSocket Server { get; }

    public WebSocket Client { get; }

    public void Dispose()
    {
        Server.Dispose();
        Client.Dispose();
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : DuplexStream
    {
        private readonly Stream _input = input.AsStream();
        private readonly Stream _output = output.AsStream();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _input.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _output.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);

        protected override void Dispose(bool disposing)
        {
            _input.Dispose();
            _output.Dispose();
            base.Dispose(disposing);
        }
    }
}

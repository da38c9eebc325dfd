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

    private sealed class Duplex(PipeReader input, PipeWriter output) : Stream
    {
        private readonly Stream _input = input.AsStream();
        private readonly Stream _output = output.AsStream();

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _input.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _output.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => _input.Read(buffer, offset, count);

        public override void Write(byte[] buffer, int offset, int count) => _output.Write(buffer, offset, count);

        public override void Flush() => _output.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _input.Dispose();
            _output.Dispose();
            base.Dispose(disposing);
        }
    }
}

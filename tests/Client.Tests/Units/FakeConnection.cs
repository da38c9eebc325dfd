using System.Threading.Channels;

namespace Pipeline.Client.Tests;

/// <summary>A connection whose other side is the test.</summary>
internal sealed class FakeConnection(Opening opening, CancellationToken life) : IConnection
{
    private readonly Channel<Func<Frame>> _frames = Channel.CreateUnbounded<Func<Frame>>();
    private int _sent;
    private int _waits;

    public Opening Opening => opening;

    /// <summary>Told by the reader, in order.</summary>
    public List<string> Acked { get; } = [];

    /// <summary>Sent in-band.</summary>
    public List<string> Renewed { get; } = [];

    public bool TakesTokens { get; init; } = true;

    public bool IsClosed { get; private set; }

    /// <summary>Whether the reader no longer waits for it.</summary>
    public bool IsGivenUp => life.IsCancellationRequested;

    /// <summary>Whether the reader took in what was sent and waits for more.</summary>
    public bool IsIdle => Volatile.Read(ref _waits) == Volatile.Read(ref _sent) + 1;

    public TimeSpan AckInterval => TimeSpan.FromSeconds(1);

    /// <summary>Sends frames.</summary>
    public FakeConnection Send(params Frame[] frames)
    {
        foreach (var frame in frames)
        {
            Interlocked.Increment(ref _sent);
            _frames.Writer.TryWrite(() => frame);
        }

        return this;
    }

    /// <summary>Ends it behind what was sent.</summary>
    public void End(int code, TimeSpan? retryAfter = null) =>
        _frames.Writer.TryWrite(() => throw new ConnectionEndedException(new Ending(code, "ended") { RetryAfter = retryAfter, IsTheTransports = true }));

    public async Task<Frame> ReceiveAsync()
    {
        Interlocked.Increment(ref _waits);
        return (await _frames.Reader.ReadAsync(life))();
    }

    public Task AckAsync(string cursor, CancellationToken cancellationToken)
    {
        Acked.Add(cursor);
        return Task.CompletedTask;
    }

    public Task<bool> RenewAsync(string token, CancellationToken cancellationToken)
    {
        Renewed.Add(token);
        return Task.FromResult(TakesTokens);
    }

    public ValueTask DisposeAsync()
    {
        IsClosed = true;
        _frames.Writer.TryComplete(new IOException("closed"));
        return ValueTask.CompletedTask;
    }
}

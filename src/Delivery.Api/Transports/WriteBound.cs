using System.IO.Pipelines;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Gives each write a time of its own, and aborts the connection when it is over: a client that takes nothing in must not
/// hold memory for ever. Much is written in parts, so that a slow client that does take something in has time for all.
/// </summary>
internal sealed class WriteBound(HttpContext context, TimeSpan timeout, TimeProvider time) : IDisposable
{
    /// <summary>Most bytes of one part.</summary>
    public const int PartBytes = 16 * 1024;

    private CancellationTokenSource _source = new(Timeout.InfiniteTimeSpan, time);

    /// <exception cref="OperationCanceledException">The time is over, or the client is gone.</exception>
    public async Task RunAsync<T>(Func<T, CancellationToken, Task> write, T target, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_source.TryReset())
        {
            _source.Dispose();
            _source = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        }

        _source.CancelAfter(timeout);
        await using var late = _source.Token.UnsafeRegister(static context => ((HttpContext)context!).Abort(), context);
        await write(target, _source.Token);
        _source.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <summary>Writes in parts.</summary>
    /// <exception cref="OperationCanceledException">The time for a part is over, or the client is gone.</exception>
    public async Task WriteAsync(PipeWriter output, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var part = bytes[..Math.Min(bytes.Length, PartBytes)];
            bytes = bytes[part.Length..];
            await RunAsync(
                static async (write, token) => await write.output.WriteAsync(write.part, token), (output, part), cancellationToken);
        }
    }

    public void Dispose() => _source.Dispose();
}

using System.IO.Pipelines;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Gives each write a time of its own, and aborts the connection when it is over: a client that takes nothing in must not
/// hold memory for ever. Much is written in parts, so that a slow client that does take something in has time for all.
/// </summary>
internal sealed class WriteBound(HttpContext context, TimeSpan timeout, TimeProvider time)
{
    /// <summary>Most bytes of one part.</summary>
    public const int PartBytes = 16 * 1024;

    /// <summary>Awaits a write that has begun; most are done already, so that only slow ones need a timer.</summary>
    /// <exception cref="OperationCanceledException">The time is over.</exception>
    public async ValueTask AwaitAsync(ValueTask write)
    {
        if (write.IsCompleted)
        {
            await write;
            return;
        }

        using var late = new CancellationTokenSource(timeout, time);
        await using var abort = late.Token.UnsafeRegister(static context => ((HttpContext)context!).Abort(), context);
        await write;
        late.Token.ThrowIfCancellationRequested();
    }

    /// <summary>Writes in parts.</summary>
    /// <exception cref="OperationCanceledException">The time for a part is over, or the client is gone.</exception>
    public async Task WriteAsync(PipeWriter output, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var part = bytes[..Math.Min(bytes.Length, PartBytes)];
            bytes = bytes[part.Length..];
            await AwaitAsync(WritePartAsync(output, part, cancellationToken));
        }
    }

    private static async ValueTask WritePartAsync(PipeWriter output, ReadOnlyMemory<byte> part, CancellationToken cancellationToken) =>
        await output.WriteAsync(part, cancellationToken);
}

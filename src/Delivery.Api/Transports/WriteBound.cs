namespace Pipeline.Delivery.Api;

/// <summary>
/// Gives each write a time of its own, and aborts the connection when it is over: a client that takes nothing in must not
/// hold memory for ever.
/// </summary>
internal sealed class WriteBound(HttpContext context, TimeSpan timeout, TimeProvider time) : IDisposable
{
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

    public void Dispose() => _source.Dispose();
}

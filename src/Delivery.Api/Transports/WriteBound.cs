namespace Pipeline.Delivery.Api;

/// <summary>Gives each write a time of its own: a client that takes nothing in must not hold memory for ever.</summary>
internal sealed class WriteBound(TimeSpan timeout, TimeProvider time) : IDisposable
{
    private CancellationTokenSource _source = new(Timeout.InfiniteTimeSpan, time);

    /// <exception cref="OperationCanceledException">The time is over, or the caller cancelled.</exception>
    public async Task RunAsync<T>(Func<T, CancellationToken, Task> write, T target, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_source.TryReset())
        {
            _source.Dispose();
            _source = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        }

        _source.CancelAfter(timeout);
        await using var gone = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _source);
        await write(target, _source.Token);
        _source.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _source.Dispose();
}

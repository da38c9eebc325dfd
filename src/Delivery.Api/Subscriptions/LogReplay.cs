using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Reads the log for readers, few at a time and one page each in turn, so that a crowd that comes back does not take the
/// database away from those who append.
/// </summary>
internal sealed partial class LogReplay(
    LogReader reader, AckStore acks, Degradation degradation, DeliveryMetrics metrics, IOptions<FeedOptions> options,
    TimeProvider time, ILogger<LogReplay> logger) : IDisposable
{
    private readonly SemaphoreSlim _turns = new(options.Value.ReplayReaders);
    private readonly SemaphoreSlim _ahead = new(options.Value.ReplayReaders);

    /// <summary>Events after a position, or null: the log could not be read.</summary>
    /// <param name="began">Called when its turn has come, just before the log is asked.</param>
    public Task<LogPage?> ReadAsync(
        StreamKey stream, long after, int limit, int maxBytes, Action began, CancellationToken cancellationToken) =>
        InTurnAsync<LogPage?>(
            stream,
            async token =>
            {
                began();
                return await reader.ReadAsync(stream, after, limit, maxBytes, token);
            },
            cancellationToken);

    /// <summary>As <see cref="ReadAsync"/>, one thread's events.</summary>
    public Task<LogPage?> ReadThreadAsync(
        StreamKey stream, string thread, long after, int limit, int maxBytes, CancellationToken cancellationToken) =>
        InTurnAsync<LogPage?>(
            stream,
            async token => await reader.ReadThreadAsync(stream, thread, after, limit, maxBytes, token),
            cancellationToken);

    /// <summary>A client's last ack with <c>Known</c>, or not known: the store could not be read.</summary>
    public Task<(bool Known, Cursor? Ack)> ReadAckAsync(StreamKey stream, string client, CancellationToken cancellationToken) =>
        InTurnAsync(stream, async token => (true, await acks.ReadAsync(stream, client, token)), cancellationToken);

    /// <summary>Whether one more reader may read on before it has sent what it has: as many as may read at a time, so that slow ones hold no memory.</summary>
    public bool TryGoAhead() => _ahead.Wait(0);

    /// <summary>What was read ahead is sent, or given up.</summary>
    public void EndAhead() => _ahead.Release();

    public void Dispose()
    {
        _turns.Dispose();
        _ahead.Dispose();
    }

    private async Task<T?> InTurnAsync<T>(StreamKey stream, Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        if (!await TakeTurnAsync(cancellationToken))
        {
            metrics.ReplayRead(succeeded: false);
            return default;
        }

        try
        {
            if (degradation.IsLogAway)
            {
                return default;
            }

            using var timeout = new CancellationTokenSource(options.Value.LogTimeout, time);
            using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);

            // A dead network may keep a read from noticing that it was cancelled.
            var answer = await read(bounded.Token).WaitAsync(bounded.Token);
            metrics.ReplayRead(succeeded: true);
            return answer;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            metrics.ReplayRead(succeeded: false);
            LogFailed(exception, stream);
            return default;
        }
        finally
        {
            _turns.Release();
        }
    }

    // Who waits longer than for an answer comes back later; a crowd must not stand here.
    private async Task<bool> TakeTurnAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.Value.LogTimeout, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await _turns.WaitAsync(bounded.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    [LoggerMessage(4120, LogLevel.Warning, "Reading the log of {Stream} failed; its readers try again")]
    private partial void LogFailed(Exception exception, StreamKey stream);
}

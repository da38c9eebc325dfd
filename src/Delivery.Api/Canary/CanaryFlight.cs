namespace Pipeline.Delivery.Api;

/// <summary>One canary at a time: appended, and awaited where events arrive. Its fate is the <see cref="CanaryState"/>'s.</summary>
/// <param name="append">Appends an event of that id to the reserved stream and returns its position.</param>
internal sealed class CanaryFlight(Func<Guid, CancellationToken, Task<long>> append, CanaryState state, TimeProvider time)
{
    private readonly Lock _lock = new();
    private (Guid Id, TaskCompletionSource<long> Arrival) _awaited;

    /// <summary>An event of the reserved stream is here; as a rule another node's.</summary>
    public void Arrived(Guid id)
    {
        lock (_lock)
        {
            if (_awaited.Id == id)
            {
                _awaited.Arrival.TrySetResult(time.GetTimestamp());
            }
        }
    }

    /// <summary>Returns when there is nothing of it under way any more, with its position; null: it was not appended.</summary>
    public async Task<long?> FlyAsync(CancellationToken cancellationToken)
    {
        var arrival = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var id = Guid.CreateVersion7();
        lock (_lock)
        {
            _awaited = (id, arrival);
        }

        var appending = append(id, cancellationToken);
        await ((Task)appending).WaitAsync(CanaryState.Bound, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var isInTime = appending.IsCompleted;
        if (!isInTime && !cancellationToken.IsCancellationRequested)
        {
            state.Missed(CanaryReasons.Append);
        }

        try
        {
            // It has timeouts of its own, and until one of them ends it no other is tried.
            var position = await appending;
            if (isInTime)
            {
                await JudgeAsync(arrival.Task, time.GetTimestamp(), cancellationToken);
            }

            return position;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            if (isInTime)
            {
                state.Missed(CanaryReasons.Append, exception);
            }

            return null;
        }
    }

    // What came before the append's caller was told has taken no time that can be measured.
    private async Task JudgeAsync(Task<long> arrival, long committed, CancellationToken cancellationToken)
    {
        await ((Task)arrival).WaitAsync(CanaryState.Bound, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        var latency = arrival.IsCompleted ? time.GetElapsedTime(committed, Math.Max(committed, await arrival)) : TimeSpan.MaxValue;
        if (latency <= CanaryState.Bound)
        {
            state.Arrived(latency);
        }
        else
        {
            state.Missed(CanaryReasons.Delivery);
        }
    }
}

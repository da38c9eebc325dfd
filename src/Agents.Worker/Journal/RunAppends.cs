using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <inheritdoc cref="EventLog.AppendAsync(IReadOnlyList{NewEvent}, CancellationToken)"/>
internal delegate Task<AppendResult> AppendUnit(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken);

/// <summary>
/// One attempt's appends. One whose outcome is unknown is repeated with the same ids until it is known; a refusal for good
/// means that the run is lost. One at a time.
/// </summary>
internal sealed partial class RunAppends(ClaimedRun claim, AppendUnit append, TimeProvider time, ILogger logger)
{
    private const int UnitEvents = 500;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _lost = new();
    private readonly ILogger _logger = logger;
    private long _last = claim.LastSequence;

    /// <summary>The run's last sequence that is known to be durable.</summary>
    public long Last => Interlocked.Read(ref _last);

    /// <summary>Cancelled once the run is known to be another's, or ended by another.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>What is being appended is given up.</summary>
    public void MarkLost() => _lost.Cancel();

    /// <exception cref="RunLostException">Lost by now.</exception>
    public void ThrowIfLost()
    {
        if (_lost.IsCancellationRequested)
        {
            throw new RunLostException($"Run {claim.Key.Run} was lost to another worker, or ended by it");
        }
    }

    /// <summary>Returns when the events are durable.</summary>
    public async Task AppendAsync(IReadOnlyList<NewEvent> events)
    {
        foreach (var unit in events.Chunk(UnitEvents))
        {
            await AppendUnitAsync(unit);
        }
    }

    /// <summary>As <see cref="AppendAsync"/>, once, for an append that is part of something bigger.</summary>
    public async Task OnceAsync(Func<CancellationToken, Task<AppendResult>> commit, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _lost.Token);
        try
        {
            Moved(await commit(either.Token));
        }
        catch (AppendRejectedException exception) when (exception.Reason != AppendRejection.IdConflict)
        {
            throw Lose(exception);
        }
        catch (CommitOutcomeUnknownException)
        {
            // The next sequence is unknown too. The run goes on where its lease expires.
            MarkLost();
            throw;
        }
        catch (OperationCanceledException)
        {
            ThrowIfLost();
            throw;
        }
    }

    private async Task AppendUnitAsync(IReadOnlyList<NewEvent> unit)
    {
        for (var failures = 0; ; failures++)
        {
            try
            {
                Moved(await append(unit, _lost.Token));
                return;
            }
            catch (AppendRejectedException exception) when (exception.Reason != AppendRejection.IdConflict)
            {
                throw Lose(exception);
            }
            catch (ObjectDisposedException exception)
            {
                // The process has stopped appending.
                throw Lose(exception);
            }
            catch (Exception exception) when (exception is not AppendRejectedException and not InvalidEventException)
            {
                ThrowIfLost();
                LogRetry(failures == 0 ? LogLevel.Warning : LogLevel.Debug, claim.Key.Run, exception.GetBaseException().Message);
            }

            await PauseAsync(failures);
        }
    }

    /// <summary>An event that was there already has an older sequence than what was written before it.</summary>
    private void Moved(AppendResult result) => Interlocked.Exchange(ref _last, Math.Max(_last, result.Events.Max(e => e.Sequence)));

    private RunLostException Lose(Exception exception)
    {
        MarkLost();
        return new RunLostException($"Run {claim.Key.Run} is no longer attempt {claim.Attempt}'s: {exception.Message}");
    }

    private async Task PauseAsync(int failures)
    {
        var pause = TimeSpan.FromMilliseconds(50 << Math.Min(failures, 6));
        try
        {
            await Task.Delay(pause < LongestPause ? pause : LongestPause, time, _lost.Token);
        }
        catch (OperationCanceledException)
        {
            ThrowIfLost();
        }
    }

    [LoggerMessage(EventId = 3010, Message = "An append of run {Run} failed and is repeated with the same ids until its outcome is known: {Error}")]
    private partial void LogRetry(LogLevel level, string run, string error);
}

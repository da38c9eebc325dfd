using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>Why an execution was asked to stop.</summary>
internal enum StopReason
{
    None = 0,

    /// <summary>The person pressed stop.</summary>
    Cancelled,

    /// <summary>It took longer than the worker allows.</summary>
    TimedOut,

    /// <summary>The worker stops and the agent can resume elsewhere.</summary>
    Released,

    /// <summary>The worker stops and the agent cannot resume.</summary>
    WorkerStopping,

    /// <summary>Another process took the run over, or ended it.</summary>
    Lost,
}

/// <summary>A run that this worker executes. Thread-safe.</summary>
internal sealed class ActiveRun : IAsyncDisposable
{
    private readonly CancellationTokenSource _agent = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private StopReason _reason;
    private Task _cancelling = Task.CompletedTask;

    public ActiveRun(ClaimedRun claim, RunJournal journal)
    {
        Claim = claim;
        Journal = journal;
        journal.Lost.Register(() => Stop(StopReason.Lost));
    }

    public ClaimedRun Claim { get; }
    public RunJournal Journal { get; }

    /// <summary>What the agent gets.</summary>
    public CancellationToken Token => _agent.Token;

    /// <summary>Completes when the execution was asked to stop.</summary>
    public Task Stopped => _stopped.Task;

    /// <summary>Completes when the execution is over: the run has ended, was given back or lost.</summary>
    public Task Ended => _ended.Task;

    /// <summary>The agent's work; outlives the execution when the agent ignores its token.</summary>
    public Task Agent { get; set; } = Task.CompletedTask;

    /// <summary>The terminal event is being written: what happens to the lease now is for that append to find out.</summary>
    public bool IsEnding { get; set; }

    public StopReason Reason
    {
        get
        {
            lock (_lock)
            {
                return _reason;
            }
        }
    }

    /// <summary>Asks to stop. The first reason stands, but a run that was lost is lost whatever was asked before.</summary>
    public void Stop(StopReason reason)
    {
        lock (_lock)
        {
            if (_reason != StopReason.None && reason != StopReason.Lost)
            {
                return;
            }

            _reason = reason;
        }

        if (reason == StopReason.Lost)
        {
            Journal.MarkLost();
        }

        _stopped.TrySetResult();

        // Not Cancel(): what the agent registered on its token would run here, on the thread that renews leases.
        var cancelling = _agent.CancelAsync();
        lock (_lock)
        {
            _cancelling = Task.WhenAll(_cancelling, cancelling);
        }
    }

    /// <summary>Completes <see cref="Ended"/>.</summary>
    public void MarkEnded() => _ended.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _cancelling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Journal.DisposeAsync();
    }
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// The runs this worker executes: bounded in number, each owned by a task that is awaited here. Thread-safe.
/// </summary>
internal sealed partial class RunSlots(
    RunExecutor executor, RunClaims runs, EventEncoder encoder, EventLog log, Failpoints failpoints,
    WorkerMetrics metrics, IOptions<WorkerOptions> options, TimeProvider time, ILogger<RunSlots> logger)
{
    private readonly WorkerOptions _options = options.Value;
    private readonly ILogger<RunSlots> _logger = logger;
    private readonly ConcurrentDictionary<RunKey, ActiveRun> _held = new();
    private readonly ConcurrentDictionary<ActiveRun, Task> _owned = new();
    private readonly SemaphoreSlim _free = new(options.Value.MaxConcurrentRuns);
    private readonly Lock _beginning = new();
    private bool _closed;

    /// <summary>A slot came free.</summary>
    public event Action? Freed;

    /// <summary>How many more runs fit.</summary>
    public int Free => Volatile.Read(ref _closed) ? 0 : _free.CurrentCount;

    /// <summary>Runs whose lease this worker renews.</summary>
    public ICollection<ActiveRun> Held => _held.Values;

    /// <summary>Null: this worker does not execute the run.</summary>
    public ActiveRun? Find(RunKey run) => _held.GetValueOrDefault(run);

    /// <summary>
    /// Claims a queued run and begins with it. False: full, stopping, or the run is not to be had. Not to be cancelled:
    /// a claim that was given up may have been committed, and nobody would execute the run. Statements are bounded.
    /// </summary>
    public async Task<bool> TryClaimAsync(RunKey key)
    {
        if (Volatile.Read(ref _closed) || _held.ContainsKey(key) || !_free.Wait(0, CancellationToken.None))
        {
            return false;
        }

        var begun = false;
        try
        {
            if (await runs.ClaimAsync(key.Stream, key.Run, _options.Lease, CancellationToken.None) is { } claimed)
            {
                failpoints.Hit(Failpoints.AfterClaim);
                begun = BeginUnlessClosed(claimed);
                if (!begun)
                {
                    await runs.ReleaseAsync(claimed.Key, claimed.Attempt, CancellationToken.None);
                }
            }
        }
        finally
        {
            if (!begun)
            {
                _free.Release();
            }
        }

        return begun;
    }

    /// <summary>No run begins any more.</summary>
    public void Close()
    {
        lock (_beginning)
        {
            _closed = true;
        }
    }

    /// <summary>Waits until every execution is over; not for agents that go on though theirs is.</summary>
    public Task DrainAsync() => Task.WhenAll(_owned.Keys.Select(run => run.Ended));

    private bool BeginUnlessClosed(ClaimedRun claim)
    {
        lock (_beginning)
        {
            if (!_closed)
            {
                Begin(claim);
            }

            return !_closed;
        }
    }

    private void Begin(ClaimedRun claim)
    {
        var text = new TextCoalescer(time, TimeSpan.FromSeconds(1.0 / _options.DeltasPerSecond), encoder.MaxTextLength);
        var journal = new RunJournal(claim, encoder, log.AppendAsync, text, time, _logger);
        var run = new ActiveRun(claim, journal);
        _held[claim.Key] = run;
        metrics.Began();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _owned[run] = OwnAsync(run, started.Task);
        started.SetResult();
    }

    private async Task OwnAsync(ActiveRun run, Task registered)
    {
        await registered;
        try
        {
            await executor.ExecuteAsync(run);
        }
        catch (Exception exception)
        {
            // Only a fault of the pipeline's own comes here. The lease runs out and tells the others.
            LogFault(exception, run.Claim.Key.Run, run.Claim.Attempt);
            run.Stop(StopReason.Lost);
        }
        finally
        {
            _held.TryRemove(KeyValuePair.Create(run.Claim.Key, run));
            run.MarkEnded();
            await LetGoAsync(run);
        }
    }

    /// <summary>Frees the slot once the agent has returned.</summary>
    private async Task LetGoAsync(ActiveRun run)
    {
        var stray = run.Agent.IsCompleted ? 0 : 1;
        metrics.Strayed(stray);
        try
        {
            await run.Agent.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await run.DisposeAsync();
        }
        catch (Exception exception)
        {
            LogFault(exception, run.Claim.Key.Run, run.Claim.Attempt);
        }
        finally
        {
            metrics.Strayed(-stray);
            _owned.TryRemove(run, out _);
            _free.Release();
            Freed?.Invoke();
        }
    }

    [LoggerMessage(3030, LogLevel.Error, "Run {Run}, attempt {Attempt}, was given up because of an unexpected fault; its lease will expire")]
    private partial void LogFault(Exception exception, string run, int attempt);
}

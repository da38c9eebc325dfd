using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Watches every run's lease, also of runs that were opened over HTTP: an expired one is resumed here if its agent can,
/// else ended, so that no screen spins for ever.
/// </summary>
internal sealed partial class LeaseWatch
{
    private readonly RunClaims _runs;
    private readonly RunSlots _slots;
    private readonly AgentCatalog _agents;
    private readonly WorkerMetrics _metrics;
    private readonly ILogger<LeaseWatch> _logger;
    private readonly LeaseObserver<RunKey> _observer;
    private readonly int _maxAttempts;
    private readonly ConcurrentDictionary<RunKey, Task> _handling = new();
    private readonly SemaphoreSlim _few = new(16);

    public LeaseWatch(
        RunClaims runs, RunSlots slots, AgentCatalog agents, WorkerMetrics metrics, IOptions<WorkerOptions> options,
        TimeProvider time, ILogger<LeaseWatch> logger)
    {
        _runs = runs;
        _slots = slots;
        _agents = agents;
        _metrics = metrics;
        _logger = logger;
        _maxAttempts = options.Value.MaxAttempts;

        // Missed looks are an outage, and an outage expires nobody.
        _observer = new LeaseObserver<RunKey>(time, 2 * options.Value.ScanInterval);
    }

    /// <summary>
    /// One look at all leases. What follows from it goes on in the background: a run whose stream is locked must not
    /// hold up the watch over the others.
    /// </summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        var leases = (await _runs.ReadLeasesAsync(cancellationToken)).ToDictionary(l => l.Key);
        var expired = _observer.Observe([.. leases.Values.Select(l => new ObservedLease<RunKey>(l.Key, l.Counter, l.Length))]);
        foreach (var lease in expired.Select(key => leases[key]).Where(l => !IsOurs(l) && !_handling.ContainsKey(l.Key)))
        {
            var registered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _handling[lease.Key] = HandleAsync(lease, registered.Task, cancellationToken);
            registered.SetResult();
        }
    }

    /// <summary>Waits for what looks have started.</summary>
    public Task DrainAsync() => Task.WhenAll(_handling.Values);

    private async Task HandleAsync(RunLease lease, Task registered, CancellationToken cancellationToken)
    {
        await registered;
        try
        {
            await _few.WaitAsync(cancellationToken);
            try
            {
                await (_agents.CanResume(lease.Agent) && lease.Attempt < _maxAttempts
                    ? ResumeAsync(lease)
                    : EndAsync(lease, cancellationToken));
            }
            finally
            {
                _few.Release();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopping: other workers watch too.
        }
        catch (Exception exception)
        {
            LogFailed(lease.Key.Run, exception.Message);
        }
        finally
        {
            _handling.TryRemove(lease.Key, out _);
        }
    }

    private bool IsOurs(RunLease lease) => _slots.Find(lease.Key)?.Claim.Attempt == lease.Attempt;

    private async Task ResumeAsync(RunLease lease)
    {
        // False where this worker is full: the next look of any worker finds the lease expired again.
        if (await _slots.TryTakeOverAsync(lease))
        {
            LogTookOver(lease.Key.Run, lease.Agent, lease.Attempt, lease.Worker);
        }
    }

    private async Task EndAsync(RunLease lease, CancellationToken cancellationToken)
    {
        if (await _runs.EndLostAsync(lease, FailureReasons.WorkerLost, Explain(lease), cancellationToken))
        {
            LogEnded(lease.Key.Run, lease.Agent, lease.Attempt, lease.Worker);
            _metrics.EndedForOther();
        }
    }

    private string Explain(RunLease lease)
    {
        if (lease.Agent.Length == 0)
        {
            return $"Whoever appends this run's events was silent for longer than its lease of {lease.Length.TotalSeconds:0} s";
        }

        return lease.Attempt >= _maxAttempts
            ? $"The workers of {lease.Attempt} attempts were lost; the run is not tried again"
            : "The worker that executed this run was lost and its agent cannot resume; ask again";
    }

    [LoggerMessage(3050, LogLevel.Warning, "Took over run {Run} of agent {Agent}: the lease of attempt {Attempt} at worker {Worker} expired")]
    private partial void LogTookOver(string run, string agent, int attempt, Guid? worker);

    [LoggerMessage(3051, LogLevel.Warning, "Ended run {Run} of agent '{Agent}' as worker_lost: the lease of attempt {Attempt} at worker {Worker} expired")]
    private partial void LogEnded(string run, string agent, int attempt, Guid? worker);

    [LoggerMessage(3052, LogLevel.Warning, "Run {Run}, whose lease expired, could not be resumed or ended now and is tried again: {Error}")]
    private partial void LogFailed(string run, string error);
}

using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Watches the runs that nobody looks after, so that no screen spins for ever: those whose lease expired, also of runs
/// that were opened over HTTP, go back to the queue if their agent can resume, else they end; queued ones whose agent no
/// process has end after a while.
/// </summary>
internal sealed partial class LeaseWatch
{
    /// <summary>How long no process may have an agent before its queued runs end: longer than a deployment's restart of it.</summary>
    public static readonly TimeSpan AgentAbsence = TimeSpan.FromSeconds(60);

    private const int AtOnce = 4;
    private const int MostQueued = 200;
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2.5);

    private readonly LostRuns _lost;
    private readonly RunSlots _slots;
    private readonly AgentCatalog _agents;
    private readonly ProcessLease _process;
    private readonly WorkerMetrics _metrics;
    private readonly ILogger<LeaseWatch> _logger;
    private readonly LeaseObserver<RunKey> _leases;
    private readonly LeaseObserver<RunKey> _absences;
    private readonly int _maxAttempts;

    public LeaseWatch(
        LostRuns lost, RunSlots slots, AgentCatalog agents, ProcessLease process, WorkerMetrics metrics,
        IOptions<WorkerOptions> options, TimeProvider time, ILogger<LeaseWatch> logger)
    {
        _lost = lost;
        _slots = slots;
        _agents = agents;
        _process = process;
        _metrics = metrics;
        _logger = logger;
        _maxAttempts = options.Value.MaxAttempts;

        // Missed looks are an outage, and an outage expires nobody.
        var half = options.Value.Lease / 2;
        var maxGap = half < LongestGap ? half : LongestGap;
        _leases = new LeaseObserver<RunKey>(time, maxGap);
        _absences = new LeaseObserver<RunKey>(time, maxGap);
    }

    /// <summary>One look at all leases and at the queue; a look that fails starts the watch over.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            // A database that can be read but not written (a standby, a full disk) renews nobody's lease.
            await _process.WriteAsync(cancellationToken);
            await LookAtLeasesAsync(cancellationToken);
            await LookAtQueueAsync(cancellationToken);
        }
        catch
        {
            _leases.Restart();
            _absences.Restart();
            throw;
        }
    }

    private async Task LookAtLeasesAsync(CancellationToken cancellationToken)
    {
        var leases = (await _lost.ReadLeasesAsync(cancellationToken)).ToDictionary(l => l.Key);
        var expired = _leases.Observe([.. leases.Values.Select(l => new ObservedLease<RunKey>(l.Key, l.Counter, l.Length))]);
        await ForEachAsync(expired.Select(key => leases[key]).Where(l => !IsOurs(l)), l => l.Key, HandleAsync, cancellationToken);
    }

    private async Task LookAtQueueAsync(CancellationToken cancellationToken)
    {
        if (_process.LiveAgents is not { } live)
        {
            return;
        }

        var queued = (await _lost.FindForOthersAsync([.. live.Union(_agents.Names)], MostQueued, cancellationToken)).ToDictionary(q => q.Key);
        var absent = _absences.Observe([.. queued.Values.Select(q => new ObservedLease<RunKey>(q.Key, q.Attempt, AgentAbsence))]);
        await ForEachAsync(absent.Select(key => queued[key]), q => q.Key, EndUnknownAsync, cancellationToken);
    }

    /// <summary>A failure of one is said and tried again with the next look; it does not hold up the others.</summary>
    private Task ForEachAsync<T>(
        IEnumerable<T> runs, Func<T, RunKey> keyOf, Func<T, CancellationToken, Task> handle, CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        return Parallel.ForEachAsync(runs, options, async (run, token) =>
        {
            try
            {
                await handle(run, token);
            }
            catch (Exception exception) when (!token.IsCancellationRequested)
            {
                LogFailed(keyOf(run).Run, exception.GetBaseException().Message);
            }
        });
    }

    private bool IsOurs(RunLease lease) => _slots.Find(lease.Key)?.Claim.Attempt == lease.Attempt;

    private Task HandleAsync(RunLease lease, CancellationToken cancellationToken) =>
        lease.MayRunAgain && lease.Attempt < _maxAttempts ? RequeueAsync(lease, cancellationToken) : EndAsync(lease, cancellationToken);

    private async Task RequeueAsync(RunLease lease, CancellationToken cancellationToken)
    {
        if (await _lost.RequeueAsync(lease, cancellationToken))
        {
            LogRequeued(lease.Key.Run, lease.Agent, lease.Attempt, lease.Worker);
            _metrics.Requeued();
        }
    }

    private async Task EndAsync(RunLease lease, CancellationToken cancellationToken)
    {
        if (await _lost.EndAsync(lease, FailureReasons.WorkerLost, Explain(lease), cancellationToken))
        {
            LogEnded(lease.Key.Run, lease.Agent, lease.Attempt, lease.Worker);
            _metrics.EndedForOther();
        }
    }

    private async Task EndUnknownAsync(QueuedRun queued, CancellationToken cancellationToken)
    {
        var error = $"No worker has an agent named '{queued.Agent}'; check the name, or ask again once a worker with it runs";
        if (await _lost.EndAsync(queued, FailureReasons.UnknownAgent, error, cancellationToken))
        {
            LogUnknown(queued.Key.Run, queued.Agent, AgentAbsence);
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

    [LoggerMessage(3050, LogLevel.Warning, "Put run {Run} of agent {Agent} back to the queue: the lease of attempt {Attempt} at worker {Worker} expired")]
    private partial void LogRequeued(string run, string agent, int attempt, Guid? worker);

    [LoggerMessage(3051, LogLevel.Warning, "Ended run {Run} of agent '{Agent}' as worker_lost: the lease of attempt {Attempt} at worker {Worker} expired")]
    private partial void LogEnded(string run, string agent, int attempt, Guid? worker);

    [LoggerMessage(3052, LogLevel.Warning, "Run {Run}, which nobody executes, could not be requeued or ended now and is tried again: {Error}")]
    private partial void LogFailed(string run, string error);

    [LoggerMessage(3053, LogLevel.Warning, "Ended run {Run} as unknown_agent: no process has had agent '{Agent}' for {Absence}; check the name, or start a worker that has it")]
    private partial void LogUnknown(string run, string agent, TimeSpan absence);
}

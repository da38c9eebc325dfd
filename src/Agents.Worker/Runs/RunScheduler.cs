using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// What the worker does by itself, with or without a bus: finds queued runs, renews the leases of its own, watches those
/// of others, and stops in good order.
/// </summary>
internal sealed partial class RunScheduler(
    RunSlots slots, LeaseWatch watch, RunClaims runs, AgentCatalog agents, IOptions<WorkerOptions> options,
    TimeProvider time, ILogger<RunScheduler> logger) : IHostedService, IDisposable
{
    private const int LookAhead = 64;
    private const int MostFailures = 3;

    private readonly WorkerOptions _options = options.Value;
    private readonly ILogger<RunScheduler> _logger = logger;
    private readonly CancellationTokenSource _noNewRuns = new();
    private readonly CancellationTokenSource _noRenewal = new();
    private bool _ready;
    private Task _finding = Task.CompletedTask;
    private Task _renewing = Task.CompletedTask;

    /// <summary>Started, and not stopping.</summary>
    public bool IsReady => Volatile.Read(ref _ready);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        LogStarted(_options.MaxConcurrentRuns, string.Join(", ", agents.Names));
        _finding = Task.WhenAll(
            RepeatAsync("looking for queued runs", _options.ScanInterval, FindAsync, _noNewRuns.Token),
            RepeatAsync("watching leases", _options.ScanInterval, watch.LookAsync, _noNewRuns.Token));
        _renewing = RepeatAsync("renewing leases", _options.Lease / 4, RenewAsync, _noRenewal.Token);
        Volatile.Write(ref _ready, true);
        return Task.CompletedTask;
    }

    /// <summary>
    /// No new runs; those of resumable agents go back to the queue at once, the others have the stop grace to finish.
    /// Leases are renewed to the end.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _ready, false);
        slots.Close();
        await _noNewRuns.CancelAsync();
        await EndsWithinAsync(Task.WhenAll(_finding, watch.DrainAsync()), Timeout.InfiniteTimeSpan, cancellationToken);
        LogStopping(slots.Held.Count, _options.StopGrace);
        foreach (var run in slots.Held.Where(r => agents.CanResume(r.Claim.Agent)))
        {
            run.Stop(StopReason.Released);
        }

        var drained = slots.DrainAsync();
        if (!await EndsWithinAsync(drained, _options.StopGrace, cancellationToken))
        {
            StopAll(StopReason.WorkerStopping);
        }

        if (!await EndsWithinAsync(drained, Timeout.InfiniteTimeSpan, cancellationToken))
        {
            LogGaveUp(slots.Held.Count);
            StopAll(StopReason.Lost);
        }

        await _noRenewal.CancelAsync();
        await _renewing;
    }

    public void Dispose()
    {
        _noNewRuns.Dispose();
        _noRenewal.Dispose();
    }

    private async Task FindAsync(CancellationToken cancellationToken)
    {
        if (slots.Free == 0)
        {
            return;
        }

        // More than fit: a few whose streams are locked must not hide the others.
        var failures = new List<Exception>();
        foreach (var run in await runs.FindQueuedAsync(slots.Free + LookAhead, cancellationToken))
        {
            if (slots.Free == 0 || failures.Count == MostFailures)
            {
                break;
            }

            try
            {
                await slots.TryClaimAsync(run);
            }
            catch (Exception exception)
            {
                failures.Add(exception);
            }
        }

        if (failures.Count > 0)
        {
            throw new AggregateException(failures);
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var held = slots.Held;
        if (held.Count == 0)
        {
            return;
        }

        var answer = await runs.RenewAsync([.. held.Select(r => (r.Claim.Key, r.Claim.Attempt))], cancellationToken);
        foreach (var run in held.Where(r => !r.IsEnding))
        {
            if (!answer.TryGetValue(run.Claim.Key, out var cancelRequested))
            {
                LogLost(run.Claim.Key.Run, run.Claim.Attempt);
                run.Stop(StopReason.Lost);
            }
            else if (cancelRequested)
            {
                run.Stop(StopReason.Cancelled);
            }
        }
    }

    /// <summary>Does the work once a period, one at a time. A failing database is waited for: said once, and once when over.</summary>
    private async Task RepeatAsync(
        string what, TimeSpan period, Func<CancellationToken, Task> work, CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(period, time);
        var failing = false;
        try
        {
            do
            {
                try
                {
                    await work(stoppingToken);
                    if (failing)
                    {
                        LogWorksAgain(what);
                    }

                    failing = false;
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    LogFailing(failing ? LogLevel.Debug : LogLevel.Warning, what, exception.Message);
                    failing = true;
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private void StopAll(StopReason reason)
    {
        foreach (var run in slots.Held)
        {
            run.Stop(reason);
        }
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan bound, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(bound, time, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(3000, LogLevel.Information, "Worker takes up to {Runs} runs at a time for the agents: {Agents}")]
    private partial void LogStarted(int runs, string agents);

    [LoggerMessage(3001, LogLevel.Information, "Worker stops: {Runs} runs are given back or may go on for {Grace}")]
    private partial void LogStopping(int runs, TimeSpan grace);

    [LoggerMessage(3002, LogLevel.Warning, "Worker stops with {Runs} runs unfinished; their leases expire")]
    private partial void LogGaveUp(int runs);

    [LoggerMessage(EventId = 3003, Message = "Worker fails at {What} and goes on trying: {Error}")]
    private partial void LogFailing(LogLevel level, string what, string error);

    [LoggerMessage(3004, LogLevel.Information, "Worker succeeds again at {What}")]
    private partial void LogWorksAgain(string what);

    [LoggerMessage(3005, LogLevel.Warning, "Run {Run} is no longer attempt {Attempt}'s: another process took it over or ended it")]
    private partial void LogLost(string run, int attempt);
}

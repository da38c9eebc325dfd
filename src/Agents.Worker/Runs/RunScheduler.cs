using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// What the worker does by itself, with or without a bus: finds queued runs, renews the leases of its own, watches those
/// of others, and stops in good order.
/// </summary>
internal sealed partial class RunScheduler(
    RunSlots slots, RunFinder finder, LeaseWatch watch, RunClaims runs, AgentCatalog agents, IOptions<WorkerOptions> options,
    TimeProvider time, ILogger<RunScheduler> logger) : IHostedService, IDisposable
{
    /// <summary>What is left to a stopping worker for the last events of its runs, and then for its loops.</summary>
    public static readonly TimeSpan ForLastWrites = TimeSpan.FromSeconds(5);

    private const int MostExtraThreads = 512;

    private readonly WorkerOptions _options = options.Value;
    private readonly ILogger<RunScheduler> _logger = logger;
    private readonly CancellationTokenSource _noNewRuns = new();
    private readonly CancellationTokenSource _noRenewal = new();
    private bool _ready;
    private Task _finding = Task.CompletedTask;
    private Task _renewing = Task.CompletedTask;
    private Task _givenUp = Task.CompletedTask;

    /// <summary>Started, and not stopping.</summary>
    public bool IsReady => Volatile.Read(ref _ready);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        LogStarted(_options.MaxConcurrentRuns, string.Join(", ", agents.Names));

        // An agent that blocks its thread must not keep a lease from being renewed.
        ThreadPool.GetMinThreads(out var threads, out var ports);
        ThreadPool.SetMinThreads(Math.Max(threads, Environment.ProcessorCount + Math.Min(_options.MaxConcurrentRuns, MostExtraThreads)), ports);

        _finding = Task.WhenAll(
            RepeatAsync("looking for queued runs", finder.FindAsync, finder.PauseAsync, _noNewRuns.Token),
            RepeatEveryAsync(_options.ScanInterval, "watching leases", watch.LookAsync, _noNewRuns.Token));
        _renewing = RepeatEveryAsync(_options.Lease / 4, "renewing leases", RenewAsync, _noRenewal.Token);
        Volatile.Write(ref _ready, true);
        return Task.CompletedTask;
    }

    /// <summary>
    /// No new runs; those of resumable agents go back to the queue at once, the others have the stop grace to finish.
    /// Leases are renewed to the end. An agent that outlives its run is not waited for.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _ready, false);
        slots.Close();
        LogStopping(slots.Held.Count, _options.StopGrace);
        StopAll(StopReason.Released, run => agents.CanResume(run.Claim.Agent));
        var drained = slots.DrainAsync();
        await _noNewRuns.CancelAsync();
        if (!await EndsWithinAsync(drained, _options.StopGrace, cancellationToken))
        {
            StopAll(StopReason.WorkerStopping, _ => true);
        }

        if (!await EndsWithinAsync(drained, _options.CancelGrace + ForLastWrites, cancellationToken))
        {
            LogGaveUp(slots.Held.Count);
            StopAll(StopReason.Lost, _ => true);
        }

        // A claim that was under way gives its run back.
        await EndsWithinAsync(_finding, ForLastWrites, cancellationToken);
        await _noRenewal.CancelAsync();
        await EndsWithinAsync(Task.WhenAll(_renewing, _givenUp), ForLastWrites, cancellationToken);
    }

    public void Dispose()
    {
        _noNewRuns.Dispose();
        _noRenewal.Dispose();
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var held = slots.Held;
        if (held.Count == 0)
        {
            return;
        }

        var answer = await AskAsync([.. held.Select(r => (r.Claim.Key, r.Claim.Attempt))], cancellationToken);
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

    /// <summary>One renewal. A connection that hangs is left alone after a quarter of the lease: the next one takes another.</summary>
    private async Task<IReadOnlyDictionary<RunKey, bool>> AskAsync(
        IReadOnlyCollection<(RunKey Key, int Attempt)> held, CancellationToken cancellationToken)
    {
        using var bound = new CancellationTokenSource(_options.Lease / 4, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, bound.Token);
        var renewal = runs.RenewAsync(held, either.Token);
        try
        {
            return await renewal.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"the database did not answer within {_options.Lease / 4}");
        }
        finally
        {
            _givenUp = renewal.IsCompleted ? _givenUp : Task.WhenAll(_givenUp, renewal);
        }
    }

    private async Task RepeatEveryAsync(TimeSpan period, string what, Func<CancellationToken, Task> work, CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(period, time);
        await RepeatAsync(what, work, async token => await timer.WaitForNextTickAsync(token), stoppingToken);
    }

    /// <summary>Does the work over and over, one at a time. A failing database is waited for: said once, and once when over.</summary>
    private async Task RepeatAsync(
        string what, Func<CancellationToken, Task> work, Func<CancellationToken, Task> pause, CancellationToken stoppingToken)
    {
        var failing = false;
        while (!stoppingToken.IsCancellationRequested)
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
                LogFailing(failing ? LogLevel.Debug : LogLevel.Warning, what, exception.GetBaseException().Message);
                failing = true;
            }
            catch (Exception exception)
            {
                // What breaks off here because it shall stop is no failure, whatever it throws.
                LogFailing(LogLevel.Debug, what, exception.GetBaseException().Message);
            }

            await pause(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void StopAll(StopReason reason, Func<ActiveRun, bool> which)
    {
        foreach (var run in slots.Held.Where(which))
        {
            run.Stop(reason);
        }
    }

    /// <summary>Whether it did, well or badly.</summary>
    private async Task<bool> EndsWithinAsync(Task task, TimeSpan bound, CancellationToken cancellationToken)
    {
        await task.WaitAsync(bound, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCompleted;
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

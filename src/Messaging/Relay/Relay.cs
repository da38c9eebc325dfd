using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes what this process committed: takes batches from the hand-over, numbers pages from 1, and deletes the outbox
/// rows once everything of them was confirmed. What the broker does not take stays in memory up to the hand-over's bound;
/// beyond, and after a crash, the sweep finds it.
/// </summary>
internal sealed partial class Relay(
    OutboxHandover handover,
    PageStream pages,
    MessageLanes lanes,
    OutboxCleaner cleaner,
    BusHealth health,
    RelayBacklog backlog,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    TimeProvider time,
    ILogger<Relay> logger) : BackgroundService
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HopelessDrainTimeout = TimeSpan.FromSeconds(1);

    private readonly PagePlanner _planner = new(options.Value.PageBytes);
    private readonly Wake _wake = new();
    private readonly ILogger<Relay> _logger = logger;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        metrics.Observe(backlog);
        handover.Offered += _wake.Set;
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var work = new CancellationTokenSource();
        using var stop = stoppingToken.Register(() =>
        {
            work.CancelAfter(health.CanPublish ? DrainTimeout : HopelessDrainTimeout);
            _wake.Set();
        });
        var timer = new PeriodicTimer(PageStream.BeaconInterval, time);
        var beacons = BeaconAsync(timer, work.Token);
        var cleaning = cleaner.RunAsync(work.Token);
        var drained = await TryDrainAsync(cleaning, stoppingToken, work.Token);
        handover.Offered -= _wake.Set;

        timer.Dispose();
        await beacons;
        if (drained)
        {
            await pages.SayGoodbyeAsync();
        }
    }

    private async Task<bool> TryDrainAsync(Task cleaning, CancellationToken stoppingToken, CancellationToken work)
    {
        try
        {
            await RelayAsync(stoppingToken, work);
            await lanes.CompleteAsync();
            cleaner.Complete();
            await cleaning;
            return true;
        }
        catch (Exception) when (work.IsCancellationRequested)
        {
            LogNotDrained();
            await Task.WhenAll(lanes.CompleteAsync(), cleaning).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return false;
        }
    }

    private async Task RelayAsync(CancellationToken stoppingToken, CancellationToken work)
    {
        await using var nudge = time.CreateTimer(_ => _wake.Set(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        while (true)
        {
            var ended = stoppingToken.IsCancellationRequested;
            while (handover.TryTake(out var batch))
            {
                Take(batch, work);
            }

            if (pages.CanStart(_planner.WaitingBytes, _planner.WaitingSince) && _planner.TryTake(out var page))
            {
                pages.Start(page, _wake.Set, work);
            }
            else if (ended && _planner.IsEmpty && pages.InFlight == 0)
            {
                return;
            }
            else
            {
                nudge.Change(_planner.IsEmpty ? Timeout.InfiniteTimeSpan : PageStream.LongestWait, Timeout.InfiniteTimeSpan);
                await _wake.WaitAsync(work);
            }
        }
    }

    private void Take(CommittedBatch committed, CancellationToken work)
    {
        var batch = new PendingBatch(committed, time.GetTimestamp(), End);
        _planner.Add(batch);
        lanes.Add(batch, work);
        batch.Done();
    }

    private void End(PendingBatch batch)
    {
        if (batch.Owed is { } lane)
        {
            handover.SetAside(batch.Batch, lane);
        }
        else
        {
            cleaner.Add(batch.Batch);
        }
    }

    private async Task BeaconAsync(PeriodicTimer timer, CancellationToken work)
    {
        try
        {
            do
            {
                await pages.BeaconAsync(work);
            }
            while (await timer.WaitForNextTickAsync(work));
        }
        catch (OperationCanceledException) when (work.IsCancellationRequested)
        {
            // The drain took too long; no goodbye follows.
        }
    }

    [LoggerMessage(2060, LogLevel.Warning, "The relay stopped before everything was confirmed; another process publishes the rest from the outbox once this one's lease has expired")]
    private partial void LogNotDrained();
}

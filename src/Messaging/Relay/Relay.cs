using System.Collections.Concurrent;
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
internal sealed partial class Relay : BackgroundService
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HopelessDrainTimeout = TimeSpan.FromSeconds(1);
    private const int TypedWindow = 64;
    private const int CommandWindow = 16;

    private readonly OutboxHandover _handover;
    private readonly PageStream _pages;
    private readonly OutboxCleaner _cleaner;
    private readonly TypedEvents _typed;
    private readonly MessageLane _typedLane;
    private readonly MessageLane _commandLane;
    private readonly BusHealth _health;
    private readonly TimeProvider _time;
    private readonly ILogger<Relay> _logger;
    private readonly PagePlanner _planner;
    private readonly ConcurrentQueue<CommittedBatch> _arrived = [];
    private readonly Wake _wake = new();
    private readonly TimeSpan _beacon;

    public Relay(
        OutboxHandover handover, PageStream pages, OutboxCleaner cleaner, TypedEvents typed, BusPublisher bus, ConfirmedPublisher publisher,
        BusHealth health, MessagingMetrics metrics, IOptions<BusOptions> options, TimeProvider time, ILogger<Relay> logger)
    {
        _handover = handover;
        _pages = pages;
        _cleaner = cleaner;
        _typed = typed;
        _typedLane = new MessageLane(typed.Of, TypedWindow, bus, publisher, metrics);
        _commandLane = new MessageLane(typed.CommandOf, CommandWindow, bus, publisher, metrics);
        _health = health;
        _time = time;
        _logger = logger;
        _planner = new PagePlanner(options.Value.PageBytes);
        _beacon = options.Value.Beacon;
    }

    public override void Dispose()
    {
        _typedLane.Dispose();
        _commandLane.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var work = new CancellationTokenSource();
        using var drain = stoppingToken.Register(() => work.CancelAfter(_health.CanPublish ? DrainTimeout : HopelessDrainTimeout));
        var lanes = Task.WhenAll(_typedLane.RunAsync(work.Token), _commandLane.RunAsync(work.Token));
        var cleaning = _cleaner.RunAsync(work.Token);
        var beacons = BeaconAsync(stoppingToken);
        try
        {
            await RelayAsync(stoppingToken, work.Token);
            _typedLane.Complete();
            _commandLane.Complete();
            await lanes;
            _cleaner.Complete();
            await cleaning;
        }
        catch (Exception) when (work.IsCancellationRequested)
        {
            LogNotDrained();
            await Task.WhenAll(lanes, cleaning).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await beacons;
        await _pages.SayGoodbyeAsync();
    }

    private async Task RelayAsync(CancellationToken stoppingToken, CancellationToken work)
    {
        var arrivals = ReceiveAsync(stoppingToken);
        while (true)
        {
            var ended = arrivals.IsCompleted;
            while (_arrived.TryDequeue(out var batch))
            {
                Take(batch);
            }

            if (_pages.CanStart(_planner.WaitingBytes) && _planner.TryTake(out var page))
            {
                _pages.Start(page, _wake.Set, work);
            }
            else if (ended && _planner.IsEmpty && _pages.InFlight == 0)
            {
                await arrivals;
                return;
            }
            else
            {
                await _wake.WaitAsync(work);
            }
        }
    }

    private async Task ReceiveAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _handover.WaitAsync(stoppingToken);
                Receive();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            Receive();
        }
        finally
        {
            _wake.Set();
        }
    }

    private void Receive()
    {
        while (_handover.TryTake(out var batch))
        {
            _arrived.Enqueue(batch);
        }

        _wake.Set();
    }

    private void Take(CommittedBatch committed)
    {
        var batch = new PendingBatch(committed, _cleaner.Add);
        _planner.Add(batch);
        if (_typed.AnyIn(committed))
        {
            _typedLane.Add(batch);
        }

        if (committed.Command is not null)
        {
            _commandLane.Add(batch);
        }

        batch.Done();
    }

    private async Task BeaconAsync(CancellationToken stoppingToken)
    {
        try
        {
            using var timer = new PeriodicTimer(_beacon, _time);
            do
            {
                await _pages.BeaconAsync(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The goodbye follows.
        }
    }

    [LoggerMessage(2060, LogLevel.Warning, "The relay stopped before everything was confirmed; another process publishes the rest from the outbox once this one's lease has expired")]
    private partial void LogNotDrained();
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Finds outbox rows that no relay has in memory and hands them to this process's own, while there is room: what the
/// broker does not confirm is not read again and again. A sweep takes a bounded number: after a long outage the outbox
/// drains at a bounded rate.
/// </summary>
internal sealed partial class Sweeper(
    OutboxStore outbox,
    OutboxHandover handover,
    MessageLanes lanes,
    ProcessLease lease,
    BusHealth health,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    private const int RowsAtOnce = 500;
    private const long BytesAtOnce = 2 * 1024 * 1024;
    private const long LeastBytes = 64 * 1024;
    private const int RoundsPerSweep = 4;
    private const int OwnIdsAtOnce = 2_000;
    private const int OwnReadingsPerSweep = 10;

    // Unowned rows are someone's latest events; the others are what a fault left behind, and can wait a second.
    private static readonly TimeSpan FaultInterval = TimeSpan.FromSeconds(1);

    private readonly OwnRows _own = new(time, TimeSpan.FromSeconds(1));
    private readonly ILogger<Sweeper> _logger = logger;
    private long _ownCursor;
    private long? _lastFaultSweep;
    private bool _failing;

    /// <summary>What may be read now: half of the room stays for what is being committed.</summary>
    private OutboxBound Bound => new(RowsAtOnce, Math.Min(BytesAtOnce, handover.Room / 2));

    private bool HasRoom => Bound.Bytes >= LeastBytes && health.CanPublish;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.Sweep, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (HasRoom)
            {
                await TrySweepAsync(stoppingToken);
            }
        }
    }

    private async Task TrySweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RepeatAsync("unowned", () => outbox.TakeUnownedAsync(Bound, cancellationToken));
            if (_lastFaultSweep is null || time.GetElapsedTime(_lastFaultSweep.Value) >= FaultInterval)
            {
                _lastFaultSweep = time.GetTimestamp();
                await RepeatAsync("abandoned", () => outbox.TakeAbandonedAsync(lease.Expired, Bound, cancellationToken));
                handover.TakeUp(lanes.HasRoom);
                await SweepOwnAsync(cancellationToken);
            }

            _failing = false;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            if (!_failing)
            {
                LogFailed(exception.Message);
                _failing = true;
            }
        }
    }

    private async Task RepeatAsync(string reason, Func<Task<IReadOnlyList<CommittedBatch>>> take)
    {
        for (var round = 0; round < RoundsPerSweep && HasRoom; round++)
        {
            var batches = await take();
            HandOver(reason, batches);
            if (batches.Count == 0)
            {
                return;
            }
        }
    }

    // Begins behind rows that are all held, to the end of the table: many of those must not hide the ones behind them.
    private async Task SweepOwnAsync(CancellationToken cancellationToken)
    {
        if (handover.IsSetAsideFull)
        {
            return;
        }

        var generation = await outbox.ReadGenerationAsync(cancellationToken);
        var (after, areHeld) = (_ownCursor, true);
        for (var reading = 0; reading < OwnReadingsPerSweep; reading++)
        {
            var ids = await outbox.ReadOwnIdsAsync(after, OwnIdsAtOnce, cancellationToken);
            var last = ids.Count < OwnIdsAtOnce ? long.MaxValue : ids[^1];
            areHeld = areHeld && ids.All(id => handover.Holds(generation, id));
            var forgotten = new Queue<long>(_own.Observe(ids, after, last, id => handover.Holds(generation, id)));
            await RepeatAsync("forgotten", () => ReadAsync(forgotten, cancellationToken));
            if (last == long.MaxValue)
            {
                _ownCursor = 0;
                return;
            }

            _ownCursor = areHeld ? last : _ownCursor;
            after = last;
        }
    }

    private async Task<IReadOnlyList<CommittedBatch>> ReadAsync(Queue<long> forgotten, CancellationToken cancellationToken)
    {
        if (forgotten.Count == 0)
        {
            return [];
        }

        var batches = await outbox.ReadAsync([.. forgotten], Bound, cancellationToken);
        while (batches.Count > 0 && forgotten.TryPeek(out var id) && id <= batches[^1].OutboxId)
        {
            forgotten.Dequeue();
        }

        return batches;
    }

    private void HandOver(string reason, IReadOnlyList<CommittedBatch> batches)
    {
        var taken = batches.Count(batch => !handover.Holds(batch.Generation, batch.OutboxId) && handover.TryOffer(batch));
        if (batches.Count > 0)
        {
            metrics.Swept(reason, taken);
            LogSwept(batches.Count, reason, taken);
        }
    }

    [LoggerMessage(2070, LogLevel.Debug, "A sweep found {Rows} {Reason} outbox rows and handed {Taken} to the relay")]
    private partial void LogSwept(int rows, string reason, int taken);

    [LoggerMessage(2071, LogLevel.Warning, "The outbox can't be swept: {Problem}. Tried again; what waits there is published once it works.")]
    private partial void LogFailed(string problem);
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Finds outbox rows that no relay has in memory and hands them to this process's own. A sweep begins only when the rows
/// of the one before are published, and takes a bounded number: after a long outage the outbox drains at a bounded rate.
/// </summary>
internal sealed partial class Sweeper(
    OutboxStore outbox,
    OutboxHandover handover,
    ProcessLease lease,
    BusHealth health,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    private const int RowsPerSweep = 200;
    private const int OwnIdsPerSweep = 2_000;

    // Unowned rows are someone's latest events; the others are what a fault left behind, and can wait a second.
    private static readonly TimeSpan FaultInterval = TimeSpan.FromSeconds(1);

    private readonly OwnRows _own = new(time, TimeSpan.FromSeconds(1));
    private readonly ILogger<Sweeper> _logger = logger;
    private readonly List<long> _swept = [];
    private long? _lastFaultSweep;
    private bool _failing;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.Sweep, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (health.CanPublish && !_swept.Exists(handover.Holds))
            {
                _swept.Clear();
                await TrySweepAsync(stoppingToken);
            }
        }
    }

    private async Task TrySweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            HandOver("unowned", await outbox.TakeUnownedAsync(RowsPerSweep, cancellationToken));
            if (_lastFaultSweep is null || time.GetElapsedTime(_lastFaultSweep.Value) >= FaultInterval)
            {
                _lastFaultSweep = time.GetTimestamp();
                HandOver("abandoned", await outbox.TakeAbandonedAsync(lease.Expired, RowsPerSweep, cancellationToken));
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

    private async Task SweepOwnAsync(CancellationToken cancellationToken)
    {
        var ids = await outbox.ReadOwnIdsAsync(OwnIdsPerSweep, cancellationToken);
        var forgotten = _own.Observe(ids, handover.Holds).Take(RowsPerSweep).ToList();
        if (forgotten.Count > 0)
        {
            HandOver("forgotten", await outbox.ReadAsync(forgotten, cancellationToken));
        }
    }

    private void HandOver(string reason, IReadOnlyList<CommittedBatch> batches)
    {
        var taken = batches.Count(batch => !handover.Holds(batch.OutboxId) && handover.TryOffer(batch));
        if (batches.Count > 0)
        {
            _swept.AddRange(batches.Select(batch => batch.OutboxId));
            metrics.Swept(reason, taken);
            LogSwept(batches.Count, reason, taken);
        }
    }

    [LoggerMessage(2070, LogLevel.Debug, "A sweep found {Rows} {Reason} outbox rows and handed {Taken} to the relay")]
    private partial void LogSwept(int rows, string reason, int taken);

    [LoggerMessage(2071, LogLevel.Warning, "The outbox can't be swept: {Problem}. Tried again; what waits there is published once it works.")]
    private partial void LogFailed(string problem);
}

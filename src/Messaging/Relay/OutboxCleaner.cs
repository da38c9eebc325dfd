using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>Deletes the outbox rows of confirmed batches, many at once, and only then lets go of the batches.</summary>
internal sealed partial class OutboxCleaner(
    OutboxStore outbox, OutboxHandover handover, Failpoints failpoints, TimeProvider time, ILogger<OutboxCleaner> logger) : IDisposable
{
    private const int BatchSize = 1_000;

    // A delete per page would compete with the appends.
    private static readonly TimeSpan CollectFor = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly Channel<CommittedBatch> _confirmed = Channel.CreateUnbounded<CommittedBatch>();
    private readonly CancellationTokenSource _completing = new();
    private readonly ILogger<OutboxCleaner> _logger = logger;
    private bool _failing;

    public void Add(CommittedBatch batch) => _confirmed.Writer.TryWrite(batch);

    /// <summary>No more batches: <see cref="RunAsync"/> returns when all rows are deleted.</summary>
    public void Complete()
    {
        _confirmed.Writer.TryComplete();
        _completing.Cancel();
    }

    public void Dispose() => _completing.Dispose();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await _confirmed.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_confirmed.Reader.Count < BatchSize)
            {
                await Task.Delay(CollectFor, time, _completing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            var batches = new List<CommittedBatch>();
            while (batches.Count < BatchSize && _confirmed.Reader.TryRead(out var batch))
            {
                batches.Add(batch);
            }

            foreach (var rows in batches.GroupBy(batch => batch.Generation))
            {
                await DeleteAsync(rows.Key, [.. rows], cancellationToken);
            }
        }
    }

    private async Task DeleteAsync(long generation, IReadOnlyList<CommittedBatch> batches, CancellationToken cancellationToken)
    {
        while (!await TryDeleteAsync(generation, batches, cancellationToken))
        {
            await Task.Delay(RetryAfter, time, cancellationToken);
        }

        foreach (var batch in batches)
        {
            handover.Release(batch);
        }
    }

    private async Task<bool> TryDeleteAsync(
        long generation, IReadOnlyList<CommittedBatch> batches, CancellationToken cancellationToken)
    {
        try
        {
            failpoints.Hit(Failpoints.AfterConfirmBeforeDelete);
            await outbox.DeleteAsync(generation, [.. batches.Select(batch => batch.OutboxId)], cancellationToken);
            _failing = false;
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            if (!_failing)
            {
                LogDeleteFailed(batches.Count, exception.Message);
                _failing = true;
            }

            return false;
        }
    }

    [LoggerMessage(2050, LogLevel.Warning, "{Count} published outbox rows could not be deleted: {Problem}. Tried again until it works; if this process ends before, they are published twice.")]
    private partial void LogDeleteFailed(int count, string problem);
}

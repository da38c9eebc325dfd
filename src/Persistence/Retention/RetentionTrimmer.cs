using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Removes events older than <c>Persistence:Retention</c> from the oldest end of each stream, a few at a time under its
/// head lock. Every process does it; what one has trimmed the others find trimmed.
/// </summary>
internal sealed partial class RetentionTrimmer(
    PipelineDatabase database, IOptions<PersistenceOptions> options, TimeProvider time, ILogger<RetentionTrimmer> logger)
    : BackgroundService
{
    private const int Streams = 200;
    private const int Events = 1_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(10);

    private readonly ILogger _logger = logger;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Retention is not { } retention)
        {
            return;
        }

        var pause = retention / 20 < LongestPause ? retention / 20 : LongestPause;
        while (true)
        {
            await Task.Delay(pause, time, stoppingToken);
            try
            {
                await TrimAsync(time.GetUtcNow().UtcDateTime - retention, stoppingToken);
            }
            catch (Exception problem) when (problem is DbException or TimeoutException)
            {
                LogPutOff(problem);
            }
        }
    }

    /// <summary>Removes what was stored before <paramref name="cutoff"/>. Returns how many events are gone.</summary>
    internal async Task<long> TrimAsync(DateTime cutoff, CancellationToken cancellationToken)
    {
        var trimmed = 0L;
        var last = "";
        while (true)
        {
            var streams = await FindAsync(last, cutoff, cancellationToken);
            foreach (var stream in streams)
            {
                trimmed += await TrimAsync(StreamKey.Parse(stream), cutoff, cancellationToken);
            }

            if (streams.Count < Streams)
            {
                return trimmed;
            }

            last = streams[^1];
        }
    }

    private async Task<List<string>> FindAsync(string after, DateTime cutoff, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await context.Heads
            .Where(head => string.Compare(head.Stream, after) > 0
                && context.Events.Any(e => e.Stream == head.Stream && e.Position == head.Trimmed + 1 && e.StoredAt < cutoff))
            .OrderBy(head => head.Stream).Select(head => head.Stream).Take(Streams).ToListAsync(cancellationToken);
    }

    private async Task<long> TrimAsync(StreamKey stream, DateTime cutoff, CancellationToken cancellationToken)
    {
        var trimmed = 0L;
        long step;
        do
        {
            step = await StepAsync(stream, cutoff, cancellationToken);
            trimmed += step;
        }
        while (step == Events);
        return trimmed;
    }

    private async Task<long> StepAsync(StreamKey stream, DateTime cutoff, CancellationToken cancellationToken)
    {
        await using var locked = await database.TryLockStreamAsync(stream, cancellationToken);
        if (locked is null)
        {
            // Busy now; a stuck one must not keep the pass from the others.
            return 0;
        }

        var oldest = await locked.Context.Events.Where(row => row.Stream == stream.Value)
            .OrderBy(row => row.Position).Take(Events)
            .Select(row => new { row.Position, row.StoredAt }).ToListAsync(cancellationToken);
        var expired = oldest.TakeWhile(row => row.StoredAt < cutoff).Select(row => row.Position).ToList();
        if (expired.Count == 0)
        {
            return 0;
        }

        var upTo = expired[^1];
        await locked.Context.Events.Where(row => row.Stream == stream.Value && row.Position <= upTo)
            .ExecuteDeleteAsync(cancellationToken);
        await locked.Context.Heads.Where(row => row.Stream == stream.Value)
            .ExecuteUpdateAsync(row => row.SetProperty(head => head.Trimmed, upTo), cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return expired.Count;
    }

    [LoggerMessage(1200, LogLevel.Warning, "Trimming old events is put off until the next pass")]
    private partial void LogPutOff(Exception problem);
}

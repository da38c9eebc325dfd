using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Removes events older than <c>Persistence:Retention</c> from the oldest end of each stream, a few at a time under its
/// head lock, and with a run's last event the run. Every process does it; what one has trimmed the others find trimmed.
/// Whatever fails is tried again with the next pass.
/// </summary>
internal sealed partial class RetentionTrimmer(
    PipelineDatabase database, IOptions<PersistenceOptions> options, TimeProvider time, ILogger<RetentionTrimmer> logger)
    : BackgroundService
{
    private const int Streams = 500;
    private const int Events = 1_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(10);

    private readonly ILogger _logger = logger;
    private bool _isPutOff;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Retention is not { } retention)
        {
            return;
        }

        var pause = retention / 20 < LongestPause ? retention / 20 : LongestPause;
        while (true)
        {
            // Jitter: processes that started together shall not meet at the same heads for ever.
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), time, stoppingToken);
            await TrimAsync(time.GetUtcNow().UtcDateTime - retention, stoppingToken);
        }
    }

    /// <summary>Removes what was stored before <paramref name="cutoff"/>. Returns how many events are gone.</summary>
    internal async Task<long> TrimAsync(DateTime cutoff, CancellationToken cancellationToken)
    {
        var trimmed = 0L;
        Exception? problem = null;
        try
        {
            await foreach (var stream in FindAsync(cutoff, cancellationToken))
            {
                try
                {
                    trimmed += await TrimAsync(StreamKey.Parse(stream), cutoff, cancellationToken);
                }
                catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
                {
                    problem ??= exception;
                }
            }
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            problem ??= exception;
        }

        Say(problem);
        return trimmed;
    }

    /// <summary>Streams whose oldest event is to go. Looks at all heads, so many a query.</summary>
    private async IAsyncEnumerable<string> FindAsync(DateTime cutoff, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = ""; ;)
        {
            await using var context = database.CreateContext();
            var heads = await context.Heads.Where(head => string.Compare(head.Stream, after) > 0)
                .OrderBy(head => head.Stream).Take(Streams)
                .Select(head => new
                {
                    head.Stream,
                    IsDue = context.Events.Any(
                        e => e.Stream == head.Stream && e.Position == head.Trimmed + 1 && e.StoredAt < cutoff),
                })
                .ToListAsync(cancellationToken);
            foreach (var head in heads.Where(head => head.IsDue))
            {
                yield return head.Stream;
            }

            if (heads.Count < Streams)
            {
                yield break;
            }

            after = heads[^1].Stream;
        }
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

        var context = locked.Context;
        var oldest = await context.Events.Where(row => row.Stream == stream.Value)
            .OrderBy(row => row.Position).Take(Events)
            .Select(row => new { row.Position, row.StoredAt, row.Run, row.Type }).ToListAsync(cancellationToken);
        var expired = oldest.TakeWhile(row => row.StoredAt < cutoff).ToList();
        if (expired.Count == 0)
        {
            return 0;
        }

        var upTo = expired[^1].Position;
        await context.Events.Where(row => row.Stream == stream.Value && row.Position <= upTo).ExecuteDeleteAsync(cancellationToken);
        await context.Heads.Where(row => row.Stream == stream.Value)
            .ExecuteUpdateAsync(row => row.SetProperty(head => head.Trimmed, upTo), cancellationToken);

        // Nothing follows a run's ending, so that no event of these is left.
        var runs = expired.Where(row => EventTypes.IsTerminal(row.Type)).Select(row => row.Run).ToArray();
        await context.Runs.Where(row => row.Stream == stream.Value && row.Status >= RunStatus.Completed && runs.Contains(row.Run))
            .ExecuteDeleteAsync(cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return expired.Count;
    }

    /// <summary>Once when it begins to fail, once when it works again.</summary>
    private void Say(Exception? problem)
    {
        if (problem is not null && !_isPutOff)
        {
            LogPutOff(problem);
        }
        else if (problem is null && _isPutOff)
        {
            LogTrimsAgain();
        }

        _isPutOff = problem is not null;
    }

    [LoggerMessage(1200, LogLevel.Warning, "Old events could not be trimmed; every pass tries again")]
    private partial void LogPutOff(Exception problem);

    [LoggerMessage(1201, LogLevel.Information, "Old events are trimmed again")]
    private partial void LogTrimsAgain();
}

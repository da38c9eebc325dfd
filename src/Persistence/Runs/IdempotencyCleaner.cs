using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Pipeline.Persistence;

/// <summary>Deletes expired answers to repeated requests, in the background and past those that someone has locked.</summary>
internal sealed partial class IdempotencyCleaner(PipelineDatabase database, TimeProvider time, ILogger<IdempotencyCleaner> logger)
    : BackgroundService
{
    private const int Rows = 500;
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private readonly ILogger _logger = logger;

    /// <summary>Deletes some, the longest expired first, and says how many.</summary>
    public async Task<int> CleanAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        await using var context = database.CreateContext();
        return database.IsSqlite
            ? await context.Idempotency.Where(row => row.ExpiresAt <= now)
                .OrderBy(row => row.ExpiresAt).Take(Rows).ExecuteDeleteAsync(cancellationToken)
            : await context.Database.ExecuteSqlAsync(
                $"""
                delete from pipeline.idempotency where (stream, key) in (
                  select i.stream, i.key from pipeline.idempotency i where i.expires_at <= {now}
                  order by i.expires_at limit {Rows} for update skip locked)
                """,
                cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryCleanAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task TryCleanAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await CleanAsync(stoppingToken) == Rows)
            {
            }
        }
        catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
        {
            LogFailed(exception.GetBaseException().Message);
        }
    }

    [LoggerMessage(1210, LogLevel.Information, "Expired answers to repeated requests could not be deleted now; the next try is in a minute: {Error}")]
    private partial void LogFailed(string error);
}

using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Appends an event to the reserved stream every while and sees it come back through a connection of its own: as long as that
/// happens in time, what users' agents append reaches this node's screens too.
/// </summary>
internal sealed partial class Canary(
    CanaryStream stream, CanaryScreen screen, CanaryState state, Degradation degradation, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<Canary> logger) : BackgroundService
{
    private static readonly TimeSpan ReconnectAfter = TimeSpan.FromSeconds(1);

    // Who is refused every time asks more rarely: each failed append is logged by the log.
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly CanaryFlight _flight = new(stream.AppendAsync, state, time);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (state.Interval == TimeSpan.Zero || !await StartsAsync(stoppingToken))
        {
            return;
        }

        await Task.WhenAll(WatchAsync(stoppingToken), FlyAsync(stoppingToken));
    }

    /// <summary>Time from one canary to the next.</summary>
    /// <param name="failures">How many appends have failed in a row.</param>
    internal static TimeSpan Pause(TimeSpan interval, int failures)
    {
        var longest = interval > LongestPause ? interval : LongestPause;
        var pause = interval * (1 << Math.Min(failures, 5));
        return pause < longest ? pause : longest;
    }

    private async Task<bool> StartsAsync(CancellationToken stoppingToken)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var on = lifetime.ApplicationStarted.Register(() => started.TrySetResult());
        await started.Task.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !stoppingToken.IsCancellationRequested;
    }

    private async Task WatchAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            Exception? problem = null;
            try
            {
                await screen.RunAsync(_flight.Arrived, stoppingToken);
            }
            catch (Exception exception)
            {
                problem = exception;
            }

            if (!stoppingToken.IsCancellationRequested)
            {
                LogEnded(problem);
                await WaitAsync(ReconnectAfter, stoppingToken);
            }
        }
    }

    private async Task FlyAsync(CancellationToken stoppingToken)
    {
        for (var failures = 0; !stoppingToken.IsCancellationRequested;)
        {
            var begun = time.GetTimestamp();
            failures = await TryFlyAsync(stoppingToken) ? 0 : failures + 1;
            await WaitAsync(Pause(state.Interval, failures) - time.GetElapsedTime(begun), stoppingToken);
        }
    }

    /// <summary>False: the append failed.</summary>
    private async Task<bool> TryFlyAsync(CancellationToken stoppingToken)
    {
        // Its poller asks the log, and its return is noticed there.
        if (degradation.IsLogAway)
        {
            state.Missed(CanaryReasons.Append);
            return true;
        }

        try
        {
            var position = await _flight.FlyAsync(stoppingToken);
            if (position is { } at && CanaryStream.IsTrimDue(at))
            {
                await stream.TrimAsync(stoppingToken);
            }

            return position is not null;
        }
        catch (Exception exception)
        {
            if (!stoppingToken.IsCancellationRequested)
            {
                LogNotTrimmed(exception);
            }

            return true;
        }
    }

    private async Task WaitAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(4143, LogLevel.Warning, "The canary's own connection ended and is opened again")]
    private partial void LogEnded(Exception? problem);

    [LoggerMessage(4144, LogLevel.Information, "Old canary events could not be removed now; it is tried again a hundred events later")]
    private partial void LogNotTrimmed(Exception exception);
}

internal static class CanaryServices
{
    public static IServiceCollection AddCanary(this IServiceCollection services)
    {
        services.AddSingleton<CanaryMetrics>();
        services.AddSingleton<CanaryState>();
        services.AddSingleton<CanaryScreen>();
        services.AddHostedService<Canary>();
        return services;
    }
}

using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Whether this node's canary comes. An arrival vouches for a while only: whatever stops, this service included, the state
/// does not stay <c>ok</c>. Thread-safe.
/// </summary>
internal sealed partial class CanaryState
{
    /// <summary>What is promised: a committed event is on the screen in so long. An append has as long.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly CanaryMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _vouchesFor;
    private CanaryReport _report;
    private long _arrivedAt;
    private bool _isSaid;

    public CanaryState(IOptions<DeliveryOptions> options, CanaryMetrics metrics, TimeProvider time, ILogger<CanaryState> logger)
    {
        (_metrics, _time, _logger) = (metrics, time, logger);
        Interval = options.Value.Canary;
        _vouchesFor = Interval + (3 * Bound);
        _report = new CanaryReport(false, CanaryReasons.Starting, time.GetUtcNow(), null, null);
        if (Interval > TimeSpan.Zero)
        {
            metrics.Observe(() => Read()!.IsOk);
        }
    }

    /// <summary>Time between two canaries; zero: there are none.</summary>
    public TimeSpan Interval { get; }

    /// <summary>Null where there is no canary.</summary>
    public CanaryReport? Read()
    {
        if (Interval == TimeSpan.Zero)
        {
            return null;
        }

        lock (_lock)
        {
            return Settle();
        }
    }

    /// <param name="latency">From commit to arrival.</param>
    public void Arrived(TimeSpan latency)
    {
        bool wasSaid;
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            var since = Settle().IsOk ? _report.Since : now;
            (wasSaid, _isSaid) = (_isSaid, false);
            _report = new CanaryReport(true, null, since, latency, now);
            _arrivedAt = _time.GetTimestamp();
        }

        _metrics.Arrived(latency);
        if (wasSaid)
        {
            LogArrivesAgain(latency.TotalMilliseconds);
        }
    }

    /// <param name="reason">See <see cref="CanaryReasons"/>.</param>
    public void Missed(string reason, Exception? exception = null)
    {
        bool wasSaid;
        lock (_lock)
        {
            var since = Settle().IsOk ? _time.GetUtcNow() : _report.Since;
            (wasSaid, _isSaid) = (_isSaid, true);
            _report = _report with { IsOk = false, Reason = reason, Since = since };
        }

        _metrics.Missed(reason);
        if (wasSaid)
        {
            return;
        }

        if (reason == CanaryReasons.Append)
        {
            LogNotAppended(Bound.TotalSeconds, exception);
        }
        else
        {
            LogNotArrived(Bound.TotalSeconds);
        }
    }

    private CanaryReport Settle()
    {
        if (_report is { IsOk: true, LastArrival: { } arrival } && _time.GetElapsedTime(_arrivedAt) > _vouchesFor)
        {
            _report = _report with { IsOk = false, Reason = CanaryReasons.Overdue, Since = arrival + _vouchesFor };
        }

        return _report;
    }

    [LoggerMessage(4140, LogLevel.Warning, "The canary was committed and did not come back within {Seconds} s: events reach this node's screens late or not at all. See bus, log and relay in /status")]
    private partial void LogNotArrived(double seconds);

    [LoggerMessage(4141, LogLevel.Warning, "The canary could not be appended within {Seconds} s: nothing shows that events arrive here. Check whether the database that Persistence:ConnectionString names takes writes")]
    private partial void LogNotAppended(double seconds, Exception? exception);

    [LoggerMessage(4142, LogLevel.Information, "The canary comes back again, after {Milliseconds:0} ms")]
    private partial void LogArrivesAgain(double milliseconds);
}

/// <param name="Reason">Why not; null when it is.</param>
/// <param name="Latency">Of the latest that came in time, from commit to arrival; null for none yet.</param>
internal sealed record CanaryReport(bool IsOk, string? Reason, DateTimeOffset Since, TimeSpan? Latency, DateTimeOffset? LastArrival);

/// <summary>Why the canary is degraded (PROTOCOL.md, "Status").</summary>
internal static class CanaryReasons
{
    /// <summary>None has come since the start.</summary>
    public const string Starting = "starting";

    /// <summary>It could not be appended in time.</summary>
    public const string Append = "append";

    /// <summary>It was committed and did not come in time.</summary>
    public const string Delivery = "delivery";

    /// <summary>Nothing is known of a newer one: the canary itself stands still.</summary>
    public const string Overdue = "overdue";
}

using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Reads the heads of connected streams from the log: at once where asked, all of them every 15 s as the last net, and
/// every 500 ms, never more often, while pages may not get here. It alone judges whether the log is there.
/// </summary>
internal sealed partial class HeadPoller : BackgroundService
{
    private static readonly TimeSpan Pass = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan FastPass = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ProbeEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // Read every second where there is nothing else to read, to learn whether the log answers.
    private static readonly StreamKey Probe = StreamKey.Of("-", "-");

    private readonly FeedHub _hub;
    private readonly LogReader _reader;
    private readonly BusHealth _bus;
    private readonly ProcessLease _leases;
    private readonly Degradation _degradation;
    private readonly DeliveryMetrics _metrics;
    private readonly FeedOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<HeadPoller> _logger;
    private readonly Lock _reporting = new();
    private int _failures;
    private long _lastRead;
    private long _lastPass;
    private long _nextPass;

    public HeadPoller(
        FeedHub hub, LogReader reader, BusHealth bus, ProcessLease leases, Degradation degradation, DeliveryMetrics metrics,
        IOptions<FeedOptions> options, TimeProvider time, ILogger<HeadPoller> logger)
    {
        (_hub, _reader, _bus, _leases, _degradation) = (hub, reader, bus, leases, degradation);
        (_metrics, _options, _time, _logger) = (metrics, options.Value, time, logger);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _bus.Changed += OnBusChanged;
        OnBusChanged();
        await using var stop = stoppingToken.Register(_hub.HeadsWanted.Pulse);
        (_nextPass, _lastPass) = (_time.GetTimestamp(), _time.After(-FastPass));
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogBroken(exception);
                _degradation.Report(Degradation.Log, available: false);
                await RetryLaterAsync(all: true, [], stoppingToken);
            }
        }

        _bus.Changed -= OnBusChanged;
    }

    private async Task LookAsync(CancellationToken stoppingToken)
    {
        var all = IsPassDue();
        var feeds = _hub.TakeWanted(all);
        var ok = true;
        if (all || feeds.Count > 0 || _time.GetElapsedTime(_lastRead) >= ProbeEvery)
        {
            ok = await ReadAsync(feeds, stoppingToken);
        }

        if (all)
        {
            _hub.CloseIdle();
            _lastPass = _time.GetTimestamp();
            _nextPass = _time.After(Pass * (0.75 + (Random.Shared.NextDouble() / 2)));
        }

        if (!ok)
        {
            await RetryLaterAsync(all, feeds, stoppingToken);
            return;
        }

        var soonest = _lastPass + _time.Ticks(FastPass);
        await _hub.HeadsWanted.WaitAsync(soonest > _time.GetTimestamp() ? soonest : _time.After(LookEvery));
    }

    // Pages that keep being lost ask for a pass each: one in a while is enough.
    private bool IsPassDue() =>
        _time.GetElapsedTime(_lastPass) >= FastPass
        && (_nextPass <= _time.GetTimestamp() || _hub.AreAllHeadsWanted || IsBusBlind());

    // Those who come meanwhile must not make it ask more often.
    private async Task RetryLaterAsync(bool all, IReadOnlyCollection<Feed> feeds, CancellationToken stoppingToken)
    {
        var pause = TimeSpan.FromMilliseconds(Math.Min(100 << Math.Min(_failures, 5), LongestPause.TotalMilliseconds));
        await Task.Delay(pause * (0.5 + (Random.Shared.NextDouble() / 2)), _time, stoppingToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (all)
        {
            _hub.WantAllHeads();
            return;
        }

        foreach (var feed in feeds)
        {
            _hub.WantHead(feed);
        }
    }

    private bool IsBusBlind() => !IsBusThere() || _hub.IsAnyRelaySilent(_leases.Relays, _leases.Expired);

    // A broker that lets nobody publish, in a memory or disk alarm, has nothing to deliver either.
    private bool IsBusThere() => _bus.CanConsume && _bus.CanPublish;

    private async Task<bool> ReadAsync(IReadOnlyCollection<Feed> feeds, CancellationToken stoppingToken)
    {
        _lastRead = _time.GetTimestamp();
        try
        {
            foreach (var chunk in feeds.Count == 0 ? [[]] : feeds.Chunk(Limits.PageEvents))
            {
                await ReadChunkAsync(chunk, stoppingToken);
                _metrics.HeadPoll(succeeded: true);
            }

            if (_failures > 0)
            {
                _failures = 0;
                LogBack();
            }

            _degradation.Report(Degradation.Log, available: true);
            return true;
        }
        catch (Exception exception)
        {
            if (!stoppingToken.IsCancellationRequested)
            {
                Failed(exception);
            }

            return false;
        }
    }

    private async Task ReadChunkAsync(Feed[] feeds, CancellationToken stoppingToken)
    {
        using var timeout = new CancellationTokenSource(_options.LogTimeout, _time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, timeout.Token);
        var began = _hub.Tick();
        var streams = feeds.Length == 0 ? [Probe] : feeds.Select(feed => feed.Stream).Distinct().ToList();
        var heads = await _reader.ReadHeadsAsync(streams, bounded.Token).WaitAsync(bounded.Token);
        foreach (var feed in feeds)
        {
            feed.Announce(heads[feed.Stream], began, _hub.Tick());
        }
    }

    private void Failed(Exception exception)
    {
        _metrics.HeadPoll(succeeded: false);
        if (_failures++ == 0)
        {
            LogAway(exception);
        }

        _degradation.Report(Degradation.Log, available: false);
    }

    private void OnBusChanged()
    {
        // Who reports last must have looked last.
        lock (_reporting)
        {
            _degradation.Report(Degradation.Bus, IsBusThere());
        }

        _hub.HeadsWanted.Pulse();
    }

    [LoggerMessage(4110, LogLevel.Warning, "The log cannot be read; connections stay open and catch up when it is back. Check the database that Persistence:ConnectionString names")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(4111, LogLevel.Information, "The log can be read again")]
    private partial void LogBack();

    [LoggerMessage(4112, LogLevel.Error, "Reading heads failed for a reason of this node's own; it goes on")]
    private partial void LogBroken(Exception exception);
}

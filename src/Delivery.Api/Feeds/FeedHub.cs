using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Messaging;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The feeds of the streams that have readers on this node, and what came in for them over the bus. A page is only a
/// hint: whatever is wrong with one, the heads are read again.
/// </summary>
public sealed partial class FeedHub : IPageSubscriber, IDisposable
{
    private const int MostKeyChars = 288;
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Feed> _feeds = new(StringComparer.Ordinal);
    private readonly RelayWatch _relays;
    private readonly FeedMemory _memory;
    private readonly TimeProvider _time;
    private readonly ILogger<FeedHub> _logger;
    private readonly Lock _lock = new();
    private HashSet<Feed> _wanted = [];
    private bool _allWanted = true;
    private long _tick;

    public FeedHub(IOptions<FeedOptions> options, TimeProvider time, ILogger<FeedHub> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _memory = new FeedMemory(options.Value);
        _time = time;
        _logger = logger;
        _relays = new RelayWatch(time);
        HeadsWanted = new Signal(time);
    }

    /// <summary>Pulsed when heads are to be read before the next pass.</summary>
    internal Signal HeadsWanted { get; }

    /// <summary>A moment on this node's own logical clock.</summary>
    internal long Tick() => Interlocked.Increment(ref _tick);

    /// <inheritdoc/>
    public bool Wants(ReadOnlySpan<byte> stream)
    {
        Span<char> key = stackalloc char[MostKeyChars];
        return stream.Length > key.Length
            || _feeds.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(key[..Encoding.UTF8.GetChars(stream, key)]);
    }

    /// <inheritdoc/>
    public void OnPage(BusPage page)
    {
        ArgumentNullException.ThrowIfNull(page);
        try
        {
            if (_relays.Observe(page.Relay, page.Number, page.IsBeacon, page.Goodbye))
            {
                LogMissed(page.Relay, page.Number);
                WantAllHeads();
            }

            foreach (var part in page.Streams)
            {
                if (_feeds.TryGetValue(part.Stream, out var feed)
                    && feed.Offer(page.Generation, part, Tick()) == Offered.HeadNeeded)
                {
                    WantHead(feed);
                }
            }
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            LogBadPage(exception, page.Relay, page.Number);
            WantAllHeads();
        }
    }

    /// <inheritdoc/>
    public void OnRebound() => WantAllHeads();

    public void Dispose() => HeadsWanted.Dispose();

    /// <summary>The stream's feed; a new one has asked for its head already. The reader leaves with <see cref="Leave"/>.</summary>
    internal Feed Enter(StreamKey stream, Signal reader)
    {
        while (true)
        {
            var created = new Feed(stream, _memory);
            var feed = _feeds.GetOrAdd(stream.Value, created);
            if (feed == created)
            {
                _memory.Opened();
            }

            if (feed.TryEnter(reader))
            {
                if (feed == created)
                {
                    WantHead(feed);
                }

                return feed;
            }
        }
    }

    internal void Leave(Feed feed, Signal reader) => feed.Leave(reader, _time.GetTimestamp());

    /// <summary>Has the poller read this feed's head at once.</summary>
    internal void WantHead(Feed feed)
    {
        feed.WantHead();
        lock (_lock)
        {
            _wanted.Add(feed);
        }

        HeadsWanted.Pulse();
    }

    internal void WantAllHeads()
    {
        lock (_lock)
        {
            _allWanted = true;
        }

        HeadsWanted.Pulse();
    }

    /// <summary>Whether all heads are asked for.</summary>
    internal bool AreAllHeadsWanted
    {
        get
        {
            lock (_lock)
            {
                return _allWanted;
            }
        }
    }

    /// <summary>The feeds whose heads were asked for, or all; they are no longer asked for then.</summary>
    internal IReadOnlyCollection<Feed> TakeWanted(bool all)
    {
        lock (_lock)
        {
            var wanted = _wanted;
            (_wanted, _allWanted) = ([], _allWanted && !all);
            return all ? [.. _feeds.Values] : wanted;
        }
    }

    /// <summary>Forgets feeds that nobody has read for a while.</summary>
    internal void CloseIdle()
    {
        var since = _time.After(-Linger);
        foreach (var (key, feed) in _feeds)
        {
            if (feed.TryClose(since))
            {
                _feeds.TryRemove(KeyValuePair.Create(key, feed));
                _memory.Closed();
            }
        }
    }

    /// <summary>See <see cref="RelayWatch.IsAnySilent"/>.</summary>
    internal bool IsAnyRelaySilent(IReadOnlyCollection<Guid> known, IReadOnlyCollection<Guid> expired) =>
        _relays.IsAnySilent(known, expired);

    [LoggerMessage(4100, LogLevel.Debug, "Missed pages of relay {Relay} before {Number}; reading the heads again")]
    private partial void LogMissed(Guid relay, long number);

    [LoggerMessage(4101, LogLevel.Error, "Page {Number} of relay {Relay} could not be taken in; reading the heads again")]
    private partial void LogBadPage(Exception exception, Guid relay, long number);
}

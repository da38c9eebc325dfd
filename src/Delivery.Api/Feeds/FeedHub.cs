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
    private readonly FeedOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<FeedHub> _logger;
    private readonly Lock _lock = new();
    private HashSet<Feed> _wanted = [];
    private bool _allWanted = true;
    private long _tick;
    private int _count;

    public FeedHub(IOptions<FeedOptions> options, TimeProvider time, ILogger<FeedHub> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Value;
        _time = time;
        _logger = logger;
        _relays = new RelayWatch(time);
        HeadsWanted = new Signal(time);
    }

    /// <summary>Pulsed when heads are to be read before the next pass.</summary>
    internal Signal HeadsWanted { get; }

    internal FeedBounds Bounds => _options.Bounds(Volatile.Read(ref _count));

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
                    && feed.Offer(page.Generation, part, Bounds, Tick()) == Offered.HeadNeeded)
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
            var created = new Feed(stream);
            var feed = _feeds.GetOrAdd(stream.Value, created);
            if (feed == created)
            {
                Interlocked.Increment(ref _count);
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

    /// <summary>The feeds whose heads were asked for, which are no longer asked for then; all when a pass is due.</summary>
    internal IReadOnlyCollection<Feed> TakeWanted(ref bool all)
    {
        lock (_lock)
        {
            all |= _allWanted;
            var wanted = _wanted;
            (_wanted, _allWanted) = ([], false);
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
                Interlocked.Decrement(ref _count);
            }
        }
    }

    internal bool IsAnyRelaySilent(Func<Guid, bool> leaseLost) => _relays.IsAnySilent(leaseLost);

    [LoggerMessage(4100, LogLevel.Debug, "Missed pages of relay {Relay} before {Number}; reading the heads again")]
    private partial void LogMissed(Guid relay, long number);

    [LoggerMessage(4101, LogLevel.Error, "Page {Number} of relay {Relay} could not be taken in; reading the heads again")]
    private partial void LogBadPage(Exception exception, Guid relay, long number);
}

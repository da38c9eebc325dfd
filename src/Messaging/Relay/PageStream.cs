using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>The numbered pages and beacons of this process's relay, begun in the order of their numbers.</summary>
internal sealed class PageStream(
    ProcessIdentity identity,
    OutboxHandover handover,
    BusPublisher bus,
    ConfirmedPublisher publisher,
    Failpoints failpoints,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    TimeProvider time)
{
    /// <summary>Time between beacons. Nodes take the silence of more than two of them for a fault.</summary>
    public static readonly TimeSpan BeaconInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>How long an event waits for a page worth its cost while the window has room.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(5);

    // Older than this, an event is late: the nodes are told to read it from the log.
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(750);
    private static readonly TimeSpan BeaconPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan GoodbyePatience = TimeSpan.FromSeconds(1);

    private readonly int _window = options.Value.PublishWindow;
    private readonly int _pageBytes = options.Value.PageBytes;
    private readonly PublishTerms _terms = new("A page", options.Value.PublishTimeout, AsBeacons: true);
    private readonly Lock _lock = new();
    private readonly List<PageDraft> _inFlight = [];
    private PageHeader _last = new(identity.Id, Number: 0, Goodbye: false, Generation: 0);
    private long _refused;
    private long? _waitingSince;

    public int InFlight
    {
        get
        {
            lock (_lock)
            {
                return _inFlight.Count;
            }
        }
    }

    /// <summary>Age of the oldest event in the relay that no confirm covers; zero when there is none.</summary>
    public TimeSpan Lag
    {
        get
        {
            lock (_lock)
            {
                var oldest = _inFlight.Select(page => page.Since).Append(_waitingSince ?? long.MaxValue).Min();
                return oldest == long.MaxValue ? TimeSpan.Zero : time.GetElapsedTime(oldest);
            }
        }
    }

    /// <summary>
    /// At once when nothing is on its way; else a page worth its cost, or what has waited for one long enough, while the
    /// window has room. So an idle relay adds no delay, and a busy one sends few, large pages.
    /// </summary>
    /// <param name="waitingSince">Since when the oldest event waits; null for none.</param>
    public bool CanStart(long waitingBytes, long? waitingSince)
    {
        lock (_lock)
        {
            _waitingSince = waitingSince;
            var waited = waitingSince is { } since ? time.GetElapsedTime(since) : TimeSpan.Zero;
            return CanStart(_inFlight.Count, waitingBytes, waited, _window, _pageBytes);
        }
    }

    public static bool CanStart(int inFlight, long waitingBytes, TimeSpan waited, int window, int pageBytes) =>
        inFlight == 0 || (inFlight < window && (waitingBytes >= pageBytes || waited >= LongestWait));

    /// <summary>Gives the page the next number and begins to publish it, until it is confirmed.</summary>
    /// <param name="ended">Called when the page is no longer in flight.</param>
    public void Start(PageDraft page, Action ended, CancellationToken cancellationToken)
    {
        // Begun under the lock: a beacon must not name a page that is behind it.
        lock (_lock)
        {
            _inFlight.Add(page);
            _last = _last with { Number = _last.Number + 1, Generation = page.Generation };
            _ = PublishAsync(_last, page, ended, cancellationToken);
        }
    }

    /// <summary>
    /// Repeats the last number, or, while events are late, skips one: the nodes then see a gap and read the heads, whether
    /// the page that holds them up reaches them or not.
    /// </summary>
    public Task BeaconAsync(CancellationToken cancellationToken)
    {
        PageHeader beacon;
        lock (_lock)
        {
            if (IsLate())
            {
                _last = _last with { Number = _last.Number + 1 };
            }

            beacon = _last;
        }

        return ProbeAsync(beacon, BeaconPatience, cancellationToken);
    }

    /// <summary>Tells the nodes that this relay's silence from now on means nothing.</summary>
    public Task SayGoodbyeAsync()
    {
        lock (_lock)
        {
            return ProbeAsync(_last with { Goodbye = true }, GoodbyePatience, CancellationToken.None);
        }
    }

    private Task ProbeAsync(PageHeader header, TimeSpan patience, CancellationToken cancellationToken) =>
        publisher.ProbeAsync(_terms, token => bus.PublishPageAsync(PageWriter.Write(header, []), token), patience, cancellationToken);

    private bool IsLate()
    {
        var refused = handover.Refused;
        var wasRefused = refused != _refused;
        _refused = refused;
        return wasRefused
            || IsLate(_waitingSince)
            || _inFlight.Exists(page => IsLate(page.Since));
    }

    private bool IsLate(long? since) => since is { } timestamp && time.GetElapsedTime(timestamp) > Late;

    // Owned by its place in flight: the relay ends when none is left, or when the token that ends this too was cancelled.
    private async Task PublishAsync(PageHeader header, PageDraft page, Action ended, CancellationToken cancellationToken)
    {
        try
        {
            var begun = time.GetTimestamp();
            var body = PageWriter.Write(header, page.Streams);
            await publisher.UntilConfirmedAsync(_terms, token => AttemptAsync(body, token), cancellationToken);
            metrics.PageConfirmed(page.Events, body.Length, time.GetElapsedTime(begun));
            foreach (var batch in page.Batches)
            {
                batch.Done();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped: the outbox rows stay, and another process publishes them.
        }
        finally
        {
            lock (_lock)
            {
                _inFlight.Remove(page);
            }

            ended();
        }
    }

    private async Task AttemptAsync(byte[] body, CancellationToken cancellationToken)
    {
        var publishing = bus.PublishPageAsync(body, cancellationToken);
        try
        {
            failpoints.Hit(Failpoints.BeforeConfirm);
        }
        catch (FailpointException)
        {
            await publishing;
            throw;
        }

        await publishing;
    }
}

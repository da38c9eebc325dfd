using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>The numbered pages and beacons of this process's relay. Begun by one loop, in the order of their numbers.</summary>
internal sealed class PageStream(
    ProcessIdentity identity,
    BusPublisher bus,
    ConfirmedPublisher publisher,
    Failpoints failpoints,
    MessagingMetrics metrics,
    IOptions<BusOptions> options,
    TimeProvider time)
{
    private static readonly TimeSpan ShortestBeaconTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan GoodbyeTimeout = TimeSpan.FromSeconds(1);

    private readonly int _window = options.Value.PublishWindow;
    private readonly int _pageBytes = options.Value.PageBytes;
    private readonly TimeSpan _beacon = options.Value.Beacon;
    private PageHeader _last = new(identity.Id, Number: 0, Goodbye: false, Generation: 0);
    private readonly Lock _lastLock = new();
    private int _inFlight;

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>
    /// At once when nothing is on its way; else only a page worth its cost, while the window has room. So an idle relay
    /// adds no delay, and a busy one sends few, large pages.
    /// </summary>
    public bool CanStart(long waitingBytes) => CanStart(InFlight, waitingBytes, _window, _pageBytes);

    public static bool CanStart(int inFlight, long waitingBytes, int window, int pageBytes) =>
        inFlight == 0 || (inFlight < window && waitingBytes >= pageBytes);

    /// <summary>Gives the page the next number and begins to publish it, until it is confirmed.</summary>
    /// <param name="confirmed">Called when the page is no longer in flight.</param>
    public void Start(PageDraft page, Action confirmed, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inFlight);
        var header = Last with { Number = Last.Number + 1, Generation = page.Generation };
        _ = PublishAsync(header, page, confirmed, cancellationToken);

        // Only now: a beacon must not name a page that is behind it.
        Last = header;
    }

    public Task BeaconAsync(CancellationToken cancellationToken) =>
        publisher.ProbeAsync(
            token => bus.PublishPageAsync(PageWriter.Write(Last, []), token),
            _beacon * 2 > ShortestBeaconTimeout ? _beacon * 2 : ShortestBeaconTimeout,
            cancellationToken);

    /// <summary>Tells the nodes that this relay's silence from now on means nothing.</summary>
    public Task SayGoodbyeAsync() =>
        publisher.ProbeAsync(
            token => bus.PublishPageAsync(PageWriter.Write(Last with { Goodbye = true }, []), token),
            GoodbyeTimeout,
            CancellationToken.None);

    private PageHeader Last
    {
        get
        {
            lock (_lastLock)
            {
                return _last;
            }
        }
        set
        {
            lock (_lastLock)
            {
                _last = value;
            }
        }
    }

    // Owned by its place in flight: the relay ends when none is left, or when the token that ends this too was cancelled.
    private async Task PublishAsync(PageHeader header, PageDraft page, Action confirmed, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var body = PageWriter.Write(header, page.Streams);
        try
        {
            await publisher.UntilConfirmedAsync(
                $"page {header.Number}", token => AttemptAsync(body, token), asBeacons: true, cancellationToken);
            metrics.PageConfirmed(page.Events, body.Length, time.GetElapsedTime(begun));
            foreach (var batch in page.Batches)
            {
                batch.Done();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped: the outbox rows stay, and another process publishes them.
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
            confirmed();
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

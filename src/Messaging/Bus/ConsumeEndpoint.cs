using MassTransit;
using Microsoft.Extensions.Logging;

namespace Pipeline.Messaging;

/// <summary>
/// One queue of this process and what consumes it. Reconnecting is MassTransit's; <see cref="ConsumeWatch"/> connects
/// anew, under a fresh name where the queue is the process's own, what MassTransit gave up or never noticed.
/// </summary>
internal abstract partial class ConsumeEndpoint(
    BusConnections connections, BusHealth health, TimeProvider time, ILogger<ConsumeEndpoint> logger)
{
    // A first connect that has not failed is still under way: on a busy machine that starts, it takes its time.
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly ILogger _logger = logger;
    private readonly Lock _telling = new();
    private volatile bool _isUnheard;
    private Link? _link;
    private long _since;

    /// <summary>The queue's name as connected last.</summary>
    public string Queue { get; private set; } = "";

    public bool IsReady => Volatile.Read(ref _link) is { IsReady: true };

    /// <summary>How often the endpoint was connected.</summary>
    protected int Connects { get; private set; }

    /// <summary>How long the endpoint has been ready, or has not.</summary>
    protected TimeSpan InState => time.GetElapsedTime(Volatile.Read(ref _since));

    /// <summary>Whether the endpoint should work by now and does not.</summary>
    public virtual bool IsStuck =>
        !IsReady && InState > (Volatile.Read(ref _link) is { HasFailed: false } ? ConnectPatience : ConsumeWatch.Patience);

    /// <summary>Whether what this process publishes should come through the queue by now and does not.</summary>
    public virtual bool IsUnheard => false;

    /// <summary>From now on the queue counts as not consumed, declared anew or not, until <see cref="NoteHeard"/>.</summary>
    /// <returns>Whether that is new.</returns>
    public bool NoteUnheard()
    {
        var isNew = !_isUnheard;
        _isUnheard = true;
        Tell();
        return isNew;
    }

    public void Connect()
    {
        Queue = NameQueue(++Connects);
        OnLost();
        var link = new Link(this);
        Enter(link);
        link.Handle = connections.Consume.ConnectReceiveEndpoint(Queue, endpoint =>
        {
            endpoint.ConnectReceiveEndpointObserver(link);
            Configure(endpoint);
        });
    }

    public async Task DisconnectAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _link, null) is not { Handle: { } handle })
        {
            return;
        }

        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(StopTimeout);
        try
        {
            await handle.StopAsync(bound.Token).WaitAsync(bound.Token);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // What does not stop in time is left to its connection; its observer is no longer listened to.
        }
    }

    /// <param name="connect">1 for the first time, then rising.</param>
    protected abstract string NameQueue(int connect);

    protected abstract void Configure(IReceiveEndpointConfigurator endpoint);

    /// <summary>The queue is declared, bound and consumed (again).</summary>
    protected virtual void OnReady() { }

    /// <summary>The queue is no longer consumed.</summary>
    protected virtual void OnLost() { }

    /// <summary>Something that this process published came through the queue.</summary>
    protected void NoteHeard()
    {
        if (_isUnheard)
        {
            _isUnheard = false;
            Tell();
        }
    }

    private void Enter(Link link)
    {
        Volatile.Write(ref _since, time.GetTimestamp());
        Volatile.Write(ref _link, link);
        Tell();
    }

    // Who is told last must have looked last.
    private void Tell()
    {
        lock (_telling)
        {
            health.Consumes(this, IsReady && !_isUnheard);
        }
    }

    private void Report(Link link, bool ready)
    {
        if (Volatile.Read(ref _link) != link || link.IsReady == ready)
        {
            return;
        }

        link.IsReady = ready;
        Volatile.Write(ref _since, time.GetTimestamp());
        if (ready)
        {
            LogReady(Queue);
            OnReady();
        }
        else
        {
            LogLost(Queue);
            OnLost();
        }

        Tell();
    }

    [LoggerMessage(2012, LogLevel.Information, "{Queue} is declared, bound and consumed")]
    private partial void LogReady(string queue);

    [LoggerMessage(2013, LogLevel.Warning, "{Queue} is no longer consumed; connecting again")]
    private partial void LogLost(string queue);

    private sealed class Link(ConsumeEndpoint owner) : IReceiveEndpointObserver
    {
        private volatile bool _isReady;
        private volatile bool _hasFailed;

        public HostReceiveEndpointHandle? Handle { get; set; }

        public bool IsReady
        {
            get => _isReady;
            set => _isReady = value;
        }

        /// <summary>Whether it broke off, before it was ready or after.</summary>
        public bool HasFailed => _hasFailed;

        public Task Ready(ReceiveEndpointReady ready)
        {
            if (ready.IsStarted)
            {
                owner.Report(this, ready: true);
            }

            return Task.CompletedTask;
        }

        public Task Stopping(ReceiveEndpointStopping stopping) => Lost();

        public Task Completed(ReceiveEndpointCompleted completed) => Lost();

        public Task Faulted(ReceiveEndpointFaulted faulted) => Lost();

        private Task Lost()
        {
            _hasFailed = true;
            owner.Report(this, ready: false);
            return Task.CompletedTask;
        }
    }
}

using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>This process's queue of pages: exclusive, bounded in bytes, read without deserializing, in order.</summary>
internal sealed partial class PageEndpoint(
    BusConnections connections,
    BusHealth health,
    TimeProvider time,
    ProcessIdentity identity,
    IOptions<BusOptions> options,
    MessagingMetrics metrics,
    IPageSubscriber subscriber,
    ILogger<ConsumeEndpoint> logger) : ConsumeEndpoint(connections, health, time, logger)
{
    private const int Prefetch = 16;
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _delivering = new();
    private readonly TimeProvider _time = time;
    private readonly ILogger<ConsumeEndpoint> _logger = logger;
    private bool _announced;
    private long _lastPage = time.GetTimestamp();
    private long _lastOwn = time.GetTimestamp();
    private long? _lastLog;
    private long _unreadable;

    // Every process beacons, this one too: a bound queue is never silent for long.
    public override bool IsStuck => base.IsStuck || IsSilentSince(ref _lastPage);

    // Others' pages may come and its own not, where a broker is divided or the queue is far behind.
    public override bool IsUnheard => IsSilentSince(ref _lastOwn);

    protected override string NameQueue(int connect) => QueueNames.OfProcess("delivery", identity, connect);

    protected override void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConcurrentMessageLimit = 1;
        endpoint.ConfigureReceive(receive => receive.UseFilter(new Filter(this, Connects)));
        switch (endpoint)
        {
            case IRabbitMqReceiveEndpointConfigurator rabbit:
                QueueNames.MakeOwn(rabbit, options.Value.NodeQueueBytes);
                rabbit.Bind<AgentEventPage>();
                break;
            case IInMemoryReceiveEndpointConfigurator memory:
                memory.Bind<AgentEventPage>();
                break;
        }
    }

    private void Receive(ReceiveContext context, int connect)
    {
        lock (_delivering)
        {
            if (connect != Connects)
            {
                return;
            }

            Volatile.Write(ref _lastPage, _time.GetTimestamp());
            Announce();
            if (TryRead(context, out var page))
            {
                NoteHeard(page);
                Deliver(() => subscriber.OnPage(page));
            }
            else
            {
                Deliver(subscriber.OnRebound);
            }
        }
    }

    protected override void OnReady()
    {
        lock (_delivering)
        {
            Announce();
        }
    }

    protected override void OnLost()
    {
        lock (_delivering)
        {
            _announced = false;
        }
    }

    // The first page may be here before MassTransit says that the queue is.
    private void Announce()
    {
        if (!_announced)
        {
            _announced = true;
            Deliver(subscriber.OnRebound);
        }
    }

    private bool IsSilentSince(ref long timestamp) =>
        IsReady && InState > ConsumeWatch.Patience && _time.GetElapsedTime(Volatile.Read(ref timestamp)) > ConsumeWatch.Patience;

    private void NoteHeard(BusPage page)
    {
        if (page.Relay == identity.Id)
        {
            Volatile.Write(ref _lastOwn, _time.GetTimestamp());
            NoteHeard();
        }
    }

    private bool TryRead(ReceiveContext context, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out BusPage? page)
    {
        try
        {
            // The transport takes its buffer back when this returns: the page needs bytes of its own.
            page = BusPage.Read(context.Body.GetBytes(), subscriber.Wants);
            return true;
        }
        catch (Exception exception)
        {
            page = null;
            NoteUnreadable(exception);
            return false;
        }
    }

    private void NoteUnreadable(Exception exception)
    {
        metrics.UnreadablePage();
        _unreadable++;
        if (_lastLog is null || _time.GetElapsedTime(_lastLog.Value) > LogInterval)
        {
            LogUnreadable(Queue, _unreadable, exception.Message);
            _lastLog = _time.GetTimestamp();
        }
    }

    private void Deliver(Action deliver)
    {
        try
        {
            deliver();
        }
        catch (Exception exception)
        {
            LogSubscriberFailed(exception);
        }
    }

    /// <summary>Ends the pipeline, which acknowledges. One a connect, so that what an old queue still delivers is ignored.</summary>
    private sealed class Filter(PageEndpoint owner, int connect) : IFilter<ReceiveContext>
    {
        public void Probe(ProbeContext context) => context.CreateFilterScope("pages");

        public Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
        {
            owner.Receive(context, connect);
            return Task.CompletedTask;
        }
    }

    [LoggerMessage(2020, LogLevel.Error, "{Queue} received a message that is no page ({Count} since the start): {Problem}. It was dropped and the heads are read again.")]
    private partial void LogUnreadable(string queue, long count, string problem);

    [LoggerMessage(2021, LogLevel.Error, "The page subscriber threw; the page is lost to this node until the heads are read again")]
    private partial void LogSubscriberFailed(Exception exception);
}

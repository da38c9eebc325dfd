using System.Diagnostics.Metrics;

namespace Pipeline.Messaging;

/// <summary>The meter <c>Pipeline.Messaging</c>.</summary>
public sealed class MessagingMetrics
{
    public const string MeterName = "Pipeline.Messaging";

    // Seconds: the defaults of collectors are made for milliseconds.
    private static readonly InstrumentAdvice<double> ConfirmBuckets = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private readonly Meter _meter;
    private readonly Counter<long> _pages;
    private readonly Counter<long> _events;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _typed;
    private readonly Counter<long> _swept;
    private readonly Counter<long> _unreadable;
    private readonly Histogram<double> _confirm;

    public MessagingMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = _meter = meters.Create(MeterName);
        _pages = meter.CreateCounter<long>("pipeline.relay.pages", "{page}", "Pages the broker confirmed");
        _events = meter.CreateCounter<long>("pipeline.relay.events", "{event}", "Events in confirmed pages");
        _bytes = meter.CreateCounter<long>("pipeline.relay.bytes", "By", "Bytes of confirmed pages");
        _confirm = meter.CreateHistogram<double>("pipeline.relay.confirm", "s", "From a page's first publish to its confirm", advice: ConfirmBuckets);
        _typed = meter.CreateCounter<long>("pipeline.relay.messages", "{message}", "Typed events and commands the broker confirmed");
        _swept = meter.CreateCounter<long>("pipeline.outbox.swept", "{row}", "Outbox rows found by a sweep, by reason");
        _unreadable = meter.CreateCounter<long>("pipeline.bus.pages.unreadable", "{message}", "Messages in the node's queue that are no pages");
    }

    /// <summary>Once a process.</summary>
    internal void Observe(RelayBacklog backlog)
    {
        _meter.CreateObservableGauge(
            "pipeline.relay.lag", () => backlog.Lag.TotalSeconds, "s", "Age of the oldest event that was handed over and is not confirmed");
        _meter.CreateObservableGauge(
            "pipeline.relay.held", () => backlog.Batches, "{batch}", "Committed transactions in memory whose outbox rows are not deleted yet");
        _meter.CreateObservableGauge("pipeline.relay.held_bytes", () => backlog.Bytes, "By", "Bytes of those, about");
    }

    internal void PageConfirmed(int events, int bytes, TimeSpan took)
    {
        _pages.Add(1);
        _events.Add(events);
        _bytes.Add(bytes);
        _confirm.Record(took.TotalSeconds);
    }

    internal void MessageConfirmed(string type) => _typed.Add(1, new KeyValuePair<string, object?>("type", type));

    internal void Swept(string reason, int rows) => _swept.Add(rows, new KeyValuePair<string, object?>("reason", reason));

    internal void UnreadablePage() => _unreadable.Add(1);
}

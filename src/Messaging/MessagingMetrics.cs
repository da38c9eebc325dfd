using System.Diagnostics.Metrics;

namespace Pipeline.Messaging;

/// <summary>The meter <c>Pipeline.Messaging</c>.</summary>
public sealed class MessagingMetrics
{
    public const string MeterName = "Pipeline.Messaging";

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
        var meter = meters.Create(MeterName);
        _pages = meter.CreateCounter<long>("pipeline.relay.pages", "{page}", "Pages the broker confirmed");
        _events = meter.CreateCounter<long>("pipeline.relay.events", "{event}", "Events in confirmed pages");
        _bytes = meter.CreateCounter<long>("pipeline.relay.bytes", "By", "Bytes of confirmed pages");
        _confirm = meter.CreateHistogram<double>("pipeline.relay.confirm", "s", "From a page's first publish to its confirm");
        _typed = meter.CreateCounter<long>("pipeline.relay.messages", "{message}", "Typed events and commands the broker confirmed");
        _swept = meter.CreateCounter<long>("pipeline.outbox.swept", "{row}", "Outbox rows found by a sweep, by reason");
        _unreadable = meter.CreateCounter<long>("pipeline.bus.pages.unreadable", "{message}", "Messages in the node's queue that are no pages");
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

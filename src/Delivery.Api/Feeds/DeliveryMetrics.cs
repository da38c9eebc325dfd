using System.Diagnostics.Metrics;

namespace Pipeline.Delivery.Api;

/// <summary>Meter <c>Pipeline.Delivery</c>.</summary>
internal sealed class DeliveryMetrics
{
    public const string MeterName = "Pipeline.Delivery";

    private readonly UpDownCounter<long> _connections;
    private readonly Counter<long> _events;
    private readonly Counter<long> _replayReads;
    private readonly Counter<long> _resets;
    private readonly Counter<long> _headPolls;
    private readonly Counter<long> _pulls;

    public DeliveryMetrics(IMeterFactory factory)
        : this(factory.Create(MeterName))
    {
    }

    /// <summary>Counts for whoever listens to that meter.</summary>
    internal DeliveryMetrics(Meter meter)
    {
        _connections = meter.CreateUpDownCounter<long>("pipeline.delivery.connections", "{connection}", "Open connections by transport");
        _events = meter.CreateCounter<long>("pipeline.delivery.events", "{event}", "Events sent by transport");
        _replayReads = meter.CreateCounter<long>("pipeline.delivery.replay_reads", "{read}", "Reads of the log for a reader by outcome");
        _resets = meter.CreateCounter<long>("pipeline.delivery.resets", "{reset}", "Resets by reason");
        _headPolls = meter.CreateCounter<long>("pipeline.delivery.head_polls", "{query}", "Queries for heads by outcome");
        _pulls = meter.CreateCounter<long>("pipeline.delivery.pulls", "{pull}", "Pulls of a reader by source: tail or log");
    }

    public void Connected(string transport, int change) => _connections.Add(change, new KeyValuePair<string, object?>("transport", transport));

    public void Sent(string transport, int events) => _events.Add(events, new KeyValuePair<string, object?>("transport", transport));

    public void ReplayRead(bool succeeded) => _replayReads.Add(1, Outcome(succeeded));

    public void Reset(string reason) => _resets.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void HeadPoll(bool succeeded) => _headPolls.Add(1, Outcome(succeeded));

    public void Pulled(bool fromTail) => _pulls.Add(1, new KeyValuePair<string, object?>("source", fromTail ? "tail" : "log"));

    private static KeyValuePair<string, object?> Outcome(bool succeeded) => new("outcome", succeeded ? "ok" : "failed");
}

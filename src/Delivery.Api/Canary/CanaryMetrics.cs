using System.Diagnostics.Metrics;

namespace Pipeline.Delivery.Api;

/// <summary>What the canary adds to meter <c>Pipeline.Delivery</c>.</summary>
internal sealed class CanaryMetrics
{
    // Seconds: the defaults of collectors are made for milliseconds.
    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2],
    };

    private readonly Meter _meter;
    private readonly Histogram<double> _latency;
    private readonly Counter<long> _missed;

    public CanaryMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(DeliveryMetrics.MeterName);
        _latency = _meter.CreateHistogram("pipeline.delivery.canary.latency", "s", "From the canary's commit to its arrival, where it came in time", advice: Buckets);
        _missed = _meter.CreateCounter<long>("pipeline.delivery.canary.missed", "{event}", "Canaries that did not come in time by reason");
    }

    /// <summary>Once a process.</summary>
    public void Observe(Func<bool> isOk) => _meter.CreateObservableGauge(
        "pipeline.delivery.canary.degraded", () => isOk() ? 0 : 1, "1", "1 while the canary does not come in time, else 0");

    public void Arrived(TimeSpan latency) => _latency.Record(latency.TotalSeconds);

    public void Missed(string reason) => _missed.Add(1, new KeyValuePair<string, object?>("reason", reason));
}

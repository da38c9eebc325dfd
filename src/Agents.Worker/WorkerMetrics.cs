using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Pipeline.Agents.Worker;

/// <summary>What operators count of a worker. Names are public: dashboards and alerts use them.</summary>
internal sealed class WorkerMetrics
{
    public const string Name = "Pipeline.Worker";

    private readonly Counter<long> _claimed;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _requeued;
    private readonly Counter<long> _lost;
    private readonly Counter<long> _endedForOthers;
    private readonly UpDownCounter<long> _active;
    private readonly UpDownCounter<long> _strays;

    public WorkerMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _claimed = meter.CreateCounter<long>("pipeline.worker.runs.claimed", "{run}", "Queued runs claimed");
        _requeued = meter.CreateCounter<long>(
            "pipeline.worker.runs.requeued", "{run}", "Runs put back to the queue because their lease expired");
        _ended = meter.CreateCounter<long>(
            "pipeline.worker.runs.ended", "{run}", "Executions that ended here, by status");
        _lost = meter.CreateCounter<long>(
            "pipeline.worker.runs.lost", "{run}", "Executions that another process took over or ended");
        _endedForOthers = meter.CreateCounter<long>(
            "pipeline.worker.leases.expired", "{run}", "Runs ended as worker_lost because their lease expired");
        _active = meter.CreateUpDownCounter<long>("pipeline.worker.runs.active", "{run}", "Runs executing now");
        _strays = meter.CreateUpDownCounter<long>(
            "pipeline.worker.agents.stray", "{agent}", "Agents that go on though their run is over; each keeps its slot");
    }

    /// <summary>One span per execution.</summary>
    public static ActivitySource Activities { get; } = new(Name);

    public void Began()
    {
        _claimed.Add(1);
        _active.Add(1);
    }

    /// <param name="status">completed, failed, cancelled, released or lost.</param>
    public void Ended(string status)
    {
        _active.Add(-1);
        if (status == "lost")
        {
            _lost.Add(1);
        }
        else
        {
            _ended.Add(1, new KeyValuePair<string, object?>("status", status));
        }
    }

    public void EndedForOther() => _endedForOthers.Add(1);

    public void Requeued() => _requeued.Add(1);

    /// <param name="change">1 or -1.</param>
    public void Strayed(int change) => _strays.Add(change);
}

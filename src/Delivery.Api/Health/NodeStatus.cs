using System.Reflection;
using Pipeline.Messaging;

namespace Pipeline.Delivery.Api;

/// <summary>What <c>/status</c> says (PROTOCOL.md, "Status"). All of it is known already: nothing is asked.</summary>
internal sealed class NodeStatus(
    NodeState node, DependencyHistory history, BusHealth bus, AuthorityKeys keys, RelayBacklog relay, CanaryState canary)
{
    private const string Ok = "ok";
    private const string Degraded = "degraded";

    private static readonly string Version =
        typeof(NodeStatus).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public StatusBody Describe()
    {
        var dependencies = Dependencies();
        var comes = Canary();
        var isOk = dependencies.TrueForAll(d => d.Status == Ok) && comes is null or { Status: Ok };
        return new StatusBody(Say(isOk), node.Current, node.Name, Version, node.StartedAt, dependencies, Relay(), comes);
    }

    private List<DependencyBody> Dependencies()
    {
        var (busOk, busSince) = history.Of(Degradation.Bus);
        var (logOk, logSince) = history.Of(Degradation.Log);
        List<DependencyBody> dependencies =
        [
            new(Degradation.Bus, Say(busOk), busSince, bus.LastConfirm),
            new(Degradation.Log, Say(logOk), logSince, null),
        ];
        if (keys.Needed)
        {
            dependencies.Add(new("keys", Say(keys.Known), keys.FirstFetchedAt ?? node.StartedAt, keys.LastFetchedAt));
        }

        return dependencies;
    }

    private RelayBody Relay() => new(Milliseconds(relay.Lag), relay.Batches, relay.Bytes);

    private CanaryBody? Canary() => canary.Read() is { } report
        ? new CanaryBody(
            Say(report.IsOk), report.Reason, report.Since, report.Latency is { } latency ? Milliseconds(latency) : null, report.LastArrival)
        : null;

    private static string Say(bool ok) => ok ? Ok : Degraded;

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);
}

/// <param name="Status"><c>ok</c>, or <c>degraded</c>: one of the dependencies or the canary is.</param>
/// <param name="State"><c>starting</c>, <c>ready</c> or <c>draining</c>.</param>
/// <param name="Node">Machine and process id.</param>
/// <param name="Canary">Null where <c>Delivery:Canary</c> is 0.</param>
public sealed record StatusBody(
    string Status, string State, string Node, string Version, DateTimeOffset StartedAt, IReadOnlyList<DependencyBody> Dependencies,
    RelayBody Relay, CanaryBody? Canary);

/// <param name="Name"><c>bus</c>, <c>log</c>; <c>keys</c> where an authority signs the tokens.</param>
/// <param name="Since">When it became so, as this node saw it.</param>
/// <param name="LastConfirm">When it last confirmed something to this node: a publish, a fetch of keys; null for never.</param>
public sealed record DependencyBody(string Name, string Status, DateTimeOffset Since, DateTimeOffset? LastConfirm);

/// <summary>What this node has committed and not got confirmed by the broker.</summary>
/// <param name="LagMs">Age of the oldest such event in milliseconds; 0 when there is none.</param>
/// <param name="HeldBatches">Transactions kept in memory; those just confirmed are among them until their outbox rows are deleted.</param>
/// <param name="HeldBytes">About how many bytes they take.</param>
public sealed record RelayBody(long LagMs, int HeldBatches, long HeldBytes);

/// <summary>The event that this node appends every while and sees come back.</summary>
/// <param name="Reason">Why it is degraded: <c>starting</c>, <c>append</c>, <c>delivery</c> or <c>overdue</c>; null when it is not.</param>
/// <param name="Since">When it became so.</param>
/// <param name="LatencyMs">From commit to arrival of the latest that came in time; null for none yet.</param>
/// <param name="LastArrival">When that one came.</param>
public sealed record CanaryBody(
    string Status, string? Reason, DateTimeOffset Since, long? LatencyMs, DateTimeOffset? LastArrival);

using Pipeline.Faults.Tests;
using Pipeline.Testing;

// Two seconds are promised to who has the machine, not to who shares it with another test.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
[assembly: AssemblyFixture(typeof(SharedCluster))]

namespace Pipeline.Faults.Tests;

/// <summary>
/// Private servers, two nodes and two workers behind links, which tests share one after the other: each has users of its
/// own and leaves everything as sound as it found it.
/// </summary>
public sealed class SharedCluster : IAsyncLifetime
{
    internal PostgresServer Postgres { get; private set; } = null!;

    internal RabbitServer Rabbit { get; private set; } = null!;

    internal PipelineCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Postgres = await PostgresServer.StartPrivateAsync();
        Rabbit = await RabbitServer.StartPrivateAsync();
        Cluster = await PipelineCluster.StartAsync(nodes: 2, workers: 2, Postgres, Rabbit, linked: true, settings: Settings);
    }

    /// <summary>A scenario on a cluster that is sound, whatever the one before left behind.</summary>
    internal async Task<Scenario> BeginAsync()
    {
        await Postgres.StartAsync();
        await Rabbit.StartAsync();
        foreach (var host in Cluster.Hosts)
        {
            await host.MakeSoundAsync();
        }

        await Eventually.HoldsAsync(
            "every node has its bus",
            async () => (await Task.WhenAll(Cluster.Nodes.Select(node => node.DependencyAsync("bus")))).All(status => status == "ok"),
            TimeSpan.FromSeconds(60));

        return new Scenario(Cluster);
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await Rabbit.DisposeAsync();
        await Postgres.DisposeAsync();
    }

    /// <summary>Of hosts that are to notice soon what a person would notice in half a minute.</summary>
    internal static Dictionary<string, string> Settings => new()
    {
        ["Delivery:Heartbeat"] = "00:00:02",
        ["Delivery:DrainTime"] = "00:00:02",
        ["Worker:DemoPace"] = "0.2",
        ["Worker:StopGrace"] = "00:00:02",
        ["Worker:CancelGrace"] = "00:00:02",
    };
}

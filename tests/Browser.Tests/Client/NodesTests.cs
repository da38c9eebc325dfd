using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The deployment in small: two nodes and a worker on real PostgreSQL and RabbitMQ, behind networks that fail.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    public PipelineCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cluster = await PipelineCluster.StartAsync(
        nodes: 2, workers: 1, linked: true, settings: [new("Worker:DemoPace", "0.2"), new("Delivery:Heartbeat", "00:00:02")]);

    public Person Person() => new(Cluster.Nodes[0].Url, Cluster.Settings["Auth:SigningKey"]);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}

/// <summary>A browser and more than one node.</summary>
public sealed class NodesTests(StandaloneFixture fixture, ClusterFixture cluster) : IClassFixture<ClusterFixture>
{
    private readonly Person _person = cluster.Person();
    private readonly IReadOnlyList<HostProcess> _nodes = cluster.Cluster.Nodes;

    [Fact]
    public async Task A_tab_that_moves_between_two_nodes_in_mid_run_gets_everything_once()
    {
        await using var device = new Device(await fixture.Browser.NewContextAsync(), _nodes[0].Url);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.IsAsync("live");
        await cluster.Cluster.StartRunAsync(_person.Token, "main", "Think for a long while about queues");
        await tab.GotAsync(3);
        for (var moved = 1; moved <= 4; moved++)
        {
            var (node, seen) = (_nodes[moved % 2].Url, (await tab.RecordedAsync("got")).Length);
            device.Network.Retarget(node.Host, node.Port);
            device.Network.Cut();
            await _person.AppendAsync(2);
            device.Network.Heal();
            await tab.GotAsync(seen + 2);
        }

        await Eventually.HoldsAsync("the run ended", async () =>
            (await cluster.Cluster.CommittedAsync(_person.User)).Events.Any(e => e.Type == "agent_completed"), TimeSpan.FromSeconds(60));
        await _person.AllCameOnceAsync(tab);
        var committed = (await cluster.Cluster.CommittedAsync(_person.User)).Events.Select(e => $"{e.Position} {e.Id}");
        Assert.Equal(committed, (await tab.RecordedAsync("got")).Select(got => got[(got.IndexOf('_', StringComparison.Ordinal) + 1)..]));
    }

    [Fact]
    public async Task A_page_says_that_the_message_bus_is_away_and_shows_everything_all_the_same()
    {
        await using var device = new Device(await fixture.Browser.NewContextAsync(), _nodes[0].Url);
        var window = await Window.OpenAsync(fixture, device, _person);
        _nodes[0].Links!.Broker.Cut();
        try
        {
            await window.ShowsAsync("#connection[data-status='degraded'][data-degraded='bus']");
            Assert.Equal("degraded: message bus", await window.Page.TextContentAsync("#connection-text"));
            await window.IsAccessibleAsync();
            await _person.AppendRunAsync(12);
            await window.ShowsRunAsync("completed");
            await window.IsWholeAsync(_person);
        }
        finally
        {
            _nodes[0].Links!.Broker.Heal();
        }

        await window.IsAsync("live");
        Assert.Empty(window.Faults);
    }
}

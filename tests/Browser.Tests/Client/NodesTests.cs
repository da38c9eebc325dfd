using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The deployment in small: two nodes on real PostgreSQL and RabbitMQ.</summary>
public sealed class NodesTests(StandaloneFixture fixture)
{
    [Fact]
    public async Task A_tab_that_moves_between_two_nodes_gets_everything_once()
    {
        await using var cluster = await PipelineCluster.StartAsync(nodes: 2, workers: 1, settings: [new("Worker:DemoPace", "0.5")]);
        var nodes = cluster.Nodes.Select(node => node.Url).ToList();
        var person = new Person(nodes[0], cluster.Settings["Auth:SigningKey"]);
        await using var device = new Device(await fixture.Browser.NewContextAsync(), nodes[0]);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = person.Token, after = "0" });
        await tab.IsAsync("live");
        await cluster.StartRunAsync(person.Token, "main", "What is (17 + 4) * 2, and how does a browser catch up?");
        for (var moved = 1; moved <= 4; moved++)
        {
            var (node, seen) = (nodes[moved % 2], (await tab.RecordedAsync("got")).Length);
            await tab.GotAsync(seen + 1);
            device.Network.Retarget(node.Host, node.Port);
            device.Network.Cut();
            await person.AppendAsync(2);
            device.Network.Heal();
            await tab.GotAsync(seen + 3);
        }

        await Eventually.HoldsAsync("the run ended", async () =>
            (await cluster.CommittedAsync(person.User)).Events.Any(e => e.Type == "agent_completed"), TimeSpan.FromSeconds(60));
        await person.AllCameOnceAsync(tab);
        var committed = (await cluster.CommittedAsync(person.User)).Events.Select(e => $"{e.Position} {e.Id}");
        Assert.Equal(committed, (await tab.RecordedAsync("got")).Select(got => got[(got.IndexOf('_', StringComparison.Ordinal) + 1)..]));
    }
}

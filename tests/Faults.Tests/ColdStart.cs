using System.Text.Json;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Hosts that start while PostgreSQL and RabbitMQ are away.</summary>
public sealed class ColdStart(SharedCluster shared)
{
    [Fact]
    public async Task Every_host_starts_with_both_dependencies_away_shakes_hands_says_so_and_completes_when_they_come()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var hosts = shared.Cluster.Hosts;
        using (scenario.History.Break("everything is away"))
        {
            await Task.WhenAll(hosts.Select(host => host.KillAsync()));
            await shared.Postgres.StopAsync();
            await shared.Rabbit.StopAsync();
            await Task.WhenAll(hosts.Select(host => host.StartAgainAsync()));
            foreach (var node in shared.Cluster.Nodes)
            {
                await Eventually.HoldsAsync(
                    "the node says so", async () => await node.DependencyAsync("log") == "degraded" && await node.DependencyAsync("bus") == "degraded");
                await using var socket = await RawSocket.OpenAsync(node.Url, alice.Token, after: "0");
                var ready = await socket.ReceiveAsync();
                Assert.Equal("ready", ready.GetProperty("type").GetString());
                Assert.False(ready.TryGetProperty("head", out var head) && head.ValueKind != JsonValueKind.Null);
                Assert.Equal(["bus", "log"], ready.GetProperty("degraded").EnumerateArray().Select(item => item.GetString()));
            }

            await shared.Postgres.StartAsync();
            await shared.Rabbit.StartAsync();
        }

        await alice.SeesEverythingAsync(TimeSpan.FromSeconds(12));
        await alice.AskAsync();
        await scenario.JudgeAsync();
    }
}

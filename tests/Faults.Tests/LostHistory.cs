using Npgsql;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>A database that lost commits: a restored copy, a promoted standby. Never is a new event taken for one that was seen.</summary>
public sealed class LostHistory
{
    [Fact]
    public async Task A_database_restored_from_an_older_copy_begins_a_new_epoch_at_the_operators_word()
    {
        await using var postgres = await PostgresServer.StartLocalAsync();
        await using var cluster = await PipelineCluster.StartAsync(
            nodes: 1, workers: 0, postgres, linked: true, settings: SharedCluster.Settings);
        await using var scenario = new Scenario(cluster);
        var alice = await scenario.EnterAsync();
        await alice.AppendAsync(TestContext.Current.CancellationToken);
        await postgres.StopAsync();
        await postgres.SaveAsync();
        await postgres.StartAsync();
        var former = await LoseAsync(alice, scenario);
        var fault = scenario.History.Break("the database is restored from an older copy");

        await postgres.StopAsync();
        await postgres.RestoreAsync();
        await postgres.StartAsync();
        await HostProgram.RunAsync("Delivery.Api", cluster.Settings, "admin", "new-epoch");

        await ShowsTheNewHistoryAsync(cluster, scenario, alice, former, fault);
    }

    [Fact]
    public async Task A_standby_promoted_with_a_lost_tail_is_noticed_by_its_timeline()
    {
        await using var primary = await PostgresServer.StartLocalAsync();
        await using var cluster = await PipelineCluster.StartAsync(
            nodes: 1, workers: 0, primary, linked: true, settings: SharedCluster.Settings);
        await using var scenario = new Scenario(cluster);
        var alice = await scenario.EnterAsync();
        await using var standby = await primary.StartStandbyAsync();
        await alice.AppendAsync(TestContext.Current.CancellationToken);
        var reached = (await cluster.CommittedAsync(alice.Name)).Head;
        var replica = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Port = standby.Port, Pooling = false }.ConnectionString;
        await Eventually.HoldsAsync("the standby has it", async () => await HeadAsync(replica, alice) == reached);
        await standby.StopAsync();
        var former = await LoseAsync(alice, scenario);
        var fault = scenario.History.Break("a standby that lacks the tail takes over");

        await primary.StopAsync();
        await standby.StartAsync();
        await standby.PromoteAsync();
        Assert.Equal(reached, await HeadAsync(replica, alice));
        cluster.Nodes[0].Links!.Database.Retarget("127.0.0.1", standby.Port);
        cluster.Nodes[0].Links!.Database.Reset();

        await ShowsTheNewHistoryAsync(cluster.On(replica), scenario, alice, former, fault);
    }

    /// <summary>Appends what every client sees and the database will have lost; returns the cursor that all hold then.</summary>
    private static async Task<string> LoseAsync(Person alice, Scenario scenario)
    {
        var lost = await alice.AppendUnrecordedAsync(3);
        await Eventually.HoldsAsync(
            "every client has what will be lost", () => scenario.History.Clients.All(client => client.Position >= lost));
        return scenario.History.Clients.Select(client => client.Cursor).Distinct().Single();
    }

    private static async Task ShowsTheNewHistoryAsync(
        PipelineCluster cluster, Scenario scenario, Person alice, string former, IDisposable fault)
    {
        for (var n = 0; n < 5; n++)
        {
            await alice.AppendAsync(TestContext.Current.CancellationToken);
        }

        fault.Dispose();
        var head = (await cluster.CommittedAsync(alice.Name)).Head;
        await Eventually.HoldsAsync(
            "every client was told, and shows the new history",
            () => scenario.History.Clients.All(client => client.Resets > 0 && client.Position == head));
        Assert.True(Cursor.TryParse(former, out var before) & Cursor.TryParse(scenario.History.Clients.First().Cursor, out var now));
        Assert.NotEqual(before.Epoch, now.Epoch);
        await scenario.JudgeAsync(new JudgeTerms { Resets = true, InTime = false }, now.Epoch, cluster);
    }

    private static async Task<long> HeadAsync(string database, Person person)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"select head from pipeline.stream_head where stream like '%:{person.Name}'", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}

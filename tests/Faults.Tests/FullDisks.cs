using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Disks without room, on a small tmpfs, which needs the right to mount one.</summary>
public sealed class FullDisks
{
    [Fact]
    public async Task PostgreSQL_without_room_refuses_and_goes_on_by_itself_when_there_is_some()
    {
        await using var disk = await MountAsync(400);
        await using var postgres = await PostgresServer.StartLocalAsync(Path.Combine(disk.Path, "server"));
        await using var cluster = await PipelineCluster.StartAsync(
            nodes: 1, workers: 1, postgres, linked: true, settings: SharedCluster.Settings);
        await using var scenario = new Scenario(cluster);
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("PostgreSQL's disk is full"))
        {
            await disk.FillAsync();
            using var stop = new CancellationTokenSource();
            var appending = alice.KeepAppendingAsync(stop.Token);
            await Eventually.HoldsAsync("an append is refused", () => alice.Retries > 0, TimeSpan.FromSeconds(60));
            await using var newcomer = await RawSocket.OpenAsync(cluster.Node.Url, alice.Token);
            Assert.Equal("ready", (await newcomer.ReceiveAsync()).GetProperty("type").GetString());

            disk.Free();
            if (!await postgres.AnswersAsync())
            {
                // It panicked without room for its log; a supervisor starts it again.
                await postgres.StopAsync();
                await postgres.StartAsync();
            }

            await stop.CancelAsync();
            await appending;
        }

        await alice.AskAsync();
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task RabbitMQ_without_room_blocks_publishers_and_delivery_goes_on_from_the_log()
    {
        await using var disk = await MountAsync(200);
        await using var rabbit = await RabbitServer.StartInAsync(Path.Combine(disk.Path, "server"));
        await using var cluster = await PipelineCluster.StartAsync(
            nodes: 1, workers: 1, rabbit: rabbit, linked: true, settings: SharedCluster.Settings);
        await using var scenario = new Scenario(cluster);
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("RabbitMQ's disk is full"))
        {
            await disk.FillAsync(leaveBytes: 20 * 1024 * 1024);
            await Eventually.HoldsAsync(
                "the broker blocks publishers", async () => (await rabbit.ControlAsync("status")).Contains("disk", StringComparison.Ordinal)
                    && await cluster.Node.DependencyAsync("bus") == "degraded",
                TimeSpan.FromSeconds(60));
            for (var n = 0; n < 4; n++)
            {
                await alice.IsServedAsync();
            }

            disk.Free();
            await Eventually.HoldsAsync(
                "the bus is there again", async () => await cluster.Node.DependencyAsync("bus") == "ok", TimeSpan.FromSeconds(60));
        }

        await alice.AskAsync();
        await scenario.JudgeAsync();
    }

    private static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var (disk, reason) = await SmallDisk.TryMountAsync(megabytes);
        Assert.SkipWhen(disk is null, reason);
        return disk!;
    }
}

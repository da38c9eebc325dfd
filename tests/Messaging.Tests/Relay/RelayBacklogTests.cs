using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

public sealed class RelayBacklogTests
{
    [Fact]
    public async Task While_the_broker_is_away_the_lag_grows_and_what_is_held_is_told()
    {
        await using var host = await BusHost.StartAsync(settings =>
        {
            settings["Bus:Transport"] = "rabbitmq";
            settings["Bus:Port"] = "1";
        });
        var backlog = host.Get<RelayBacklog>();
        Assert.Equal((TimeSpan.Zero, 0, 0L), (backlog.Lag, backlog.Batches, backlog.Bytes));

        await host.AppendAsync("alice", new string('x', 2_000));
        await Eventually.HoldsAsync("it lags", () => backlog.Lag > TimeSpan.FromSeconds(0.3));
        var lag = backlog.Lag;
        await Eventually.HoldsAsync("more and more", () => backlog.Lag > lag + TimeSpan.FromSeconds(0.3));
        Assert.Equal(1, backlog.Batches);
        Assert.InRange(backlog.Bytes, 2_000, 4_000);
    }

    [Fact]
    public async Task What_was_confirmed_is_no_longer_held()
    {
        await using var host = await BusHost.StartAsync();
        await host.AppendAsync("alice", "one");
        var backlog = host.Get<RelayBacklog>();

        await Eventually.HoldsAsync("the event is here", () => host.Pages.Pages.Count > 0);
        await Eventually.HoldsAsync("nothing is held", () => (backlog.Lag, backlog.Batches, backlog.Bytes) == (TimeSpan.Zero, 0, 0L));
    }
}

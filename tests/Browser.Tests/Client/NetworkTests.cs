using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The library and a network that fails in every way that a network has.</summary>
public sealed class NetworkTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Who_was_offline_knows_when_the_next_attempt_is_and_gets_what_was_missed()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        await device.GoOfflineAsync();
        await tab.UntilAsync("it waits for another attempt", "events.state.status === 'offline' && events.state.retryAt > 0");
        await _person.AppendAsync(5);
        await device.ComeBackAsync();
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task Connections_that_break_again_and_again_lose_nothing_and_repeat_nothing()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        for (var broken = 1; broken <= 6; broken++)
        {
            await _person.AppendAsync(20);
            device.Network.Truncate(Flow.Down, 1_500 * broken);
            await _person.AppendAsync(20);
            device.Network.Reset();
            await Eventually.HoldsAsync("it connects anew", () => device.Traffic.WebSockets > broken);

            // Two in a row that never were ready would lead to another transport.
            await tab.ReadsOverAsync("websocket");
        }

        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task A_connection_that_died_without_a_word_is_noticed_by_its_missing_heartbeats()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        device.Network.Forget();
        await _person.AppendAsync(3);
        await _person.AllCameOnceAsync(tab);
        Assert.Equal(2, device.Traffic.WebSockets);
    }

    [Fact]
    public async Task What_a_stalled_network_held_back_comes_once()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        device.Network.Hold();
        await _person.AppendAsync(3);
        await tab.UntilAsync("it gave the connection up", "events.state.status !== 'live'");
        device.Network.Heal();
        await _person.AllCameOnceAsync(tab);
    }

    /// <summary>A tab that has the first three events and is live.</summary>
    private async Task<Tab> ReadAsync(Device device)
    {
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.GotAsync(3);
        await tab.IsAsync("live");
        return tab;
    }
}

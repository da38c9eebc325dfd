namespace Pipeline.Browser.Tests;

/// <summary>Tabs of one browser: one connection for all of one person's, and never one for two people.</summary>
public sealed class TabsTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Three_tabs_share_one_connection_and_each_has_its_own_place()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendAsync(10);
        var cursor = (await _person.EventsAsync())[3].GetProperty("cursor").GetString()!;
        var tabs = new[] { await ReadAsync(device, "0"), await ReadAsync(device, cursor), await ReadAsync(device, "0") };
        await _person.AllCameOnceAsync(tabs[0]);
        await _person.AllCameOnceAsync(tabs[1], skipped: 4);
        await _person.AllCameOnceAsync(tabs[2]);
        var leads = await Task.WhenAll(tabs.Select(tab => tab.LeadsAsync()));
        Assert.Equal([true, false, false], leads);
        Assert.Equal(1, device.Traffic.WebSockets);
    }

    [Fact]
    public async Task When_the_leader_is_closed_another_tab_leads_and_none_misses_or_repeats_anything()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendAsync(10);
        var leader = await ReadAsync(device, "0");
        var tabs = new[] { await ReadAsync(device, "0"), await ReadAsync(device, "0") };
        await _person.AppendAsync(10);
        await leader.Page.CloseAsync();
        await _person.AppendAsync(10);
        await _person.AllCameOnceAsync(tabs[0]);
        await _person.AllCameOnceAsync(tabs[1]);
        Assert.Single(await Task.WhenAll(tabs.Select(tab => tab.LeadsAsync())), leads => leads);
        Assert.Equal(2, device.Traffic.WebSockets);
    }

    [Fact]
    public async Task All_tabs_go_offline_together_and_come_back_whole()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendAsync(3);
        var tabs = new[] { await ReadAsync(device, "0"), await ReadAsync(device, "0"), await ReadAsync(device, "0") };
        await device.GoOfflineAsync();
        await Task.WhenAll(tabs.Select(tab => tab.IsAsync("offline")));
        await _person.AppendAsync(20);
        await device.ComeBackAsync();
        foreach (var tab in tabs)
        {
            await _person.AllCameOnceAsync(tab);
        }
    }

    [Fact]
    public async Task Two_people_in_two_tabs_share_nothing()
    {
        await using var device = await fixture.DeviceAsync();
        var other = fixture.Standalone.Person();
        await _person.AppendAsync(3);
        await other.AppendAsync(4);
        var (own, others) = (await device.OpenTabAsync(), await device.OpenTabAsync());
        await own.ReadAsync(new { token = _person.Token, after = "0" });
        await others.ReadAsync(new { token = other.Token, after = "0" });
        await _person.AllCameOnceAsync(own);
        await other.AllCameOnceAsync(others);
        Assert.True(await own.LeadsAsync() && await others.LeadsAsync());
        Assert.Equal(2, device.Traffic.WebSockets);
    }

    private async Task<Tab> ReadAsync(Device device, string after)
    {
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after });
        await tab.IsAsync("live");
        return tab;
    }
}

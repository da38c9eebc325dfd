using System.Collections.Concurrent;

namespace Pipeline.Browser.Tests;

/// <summary>Back and forward: the page that comes back is the one that was left, with its state, and has missed what came meanwhile.</summary>
public sealed class BackForwardCacheTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_page_that_comes_back_from_the_cache_goes_on_where_it_was()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        await LeaveAsync(tab, device);
        await _person.AppendAsync(5);
        await ComeBackAsync(tab, device);
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task A_leader_that_goes_to_the_cache_leaves_the_lead_to_another_tab_and_follows_when_it_is_back()
    {
        await using var device = await fixture.DeviceAsync();
        var (tab, other) = (await ReadAsync(device), await ReadAsync(device));
        await LeaveAsync(tab, device);
        await _person.AppendAsync(5);
        await _person.AllCameOnceAsync(other);
        Assert.True(await other.LeadsAsync());
        await ComeBackAsync(tab, device);
        await _person.AllCameOnceAsync(tab);
        Assert.False(await tab.LeadsAsync());
        await _person.AllCameOnceAsync(other);
        Assert.Equal(2, device.Traffic.WebSockets);
    }

    private async Task<Tab> ReadAsync(Device device)
    {
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.IsAsync("live");
        await tab.Page.EvaluateAsync("() => addEventListener('pageshow', ({ persisted }) => { window.cameFromCache = persisted; })");
        return tab;
    }

    private static Task LeaveAsync(Tab tab, Device device) => tab.Page.GotoAsync($"{device.Network.Url}icon.svg");

    private static async Task ComeBackAsync(Tab tab, Device device)
    {
        var reasons = new ConcurrentQueue<string>();
        var session = await device.Context.NewCDPSessionAsync(tab.Page);
        session.Event("Page.backForwardCacheNotUsed").OnEvent += (_, told) => reasons.Enqueue($"{told}");
        await session.SendAsync("Page.enable");
        await tab.Page.EvaluateAsync("() => { setTimeout(() => history.back()); }");

        // Set only in the page that was left: another one would not have it.
        await tab.UntilAsync(
            "the page is back",
            "location.pathname === '/client/index.js' && document.readyState === 'complete' && (!globalThis.events || 'cameFromCache' in window)");
        Assert.True(
            await tab.Page.EvaluateAsync<bool>("() => window.cameFromCache === true"),
            $"it did not come from the cache: {string.Join('\n', reasons)}");
    }
}

namespace Pipeline.Browser.Tests;

/// <summary>
/// A tab in which nothing runs any more, as when the browser froze it. Chromium's own freezing
/// (<c>Page.setWebLifecycleState</c>) asks for a hidden tab, and a page under Playwright is always visible: a debugger's
/// pause stops its script just as well, and leaves it its connection and its lock.
/// </summary>
public sealed class FrozenTabTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_visible_tab_takes_the_lead_from_a_frozen_one_which_follows_when_it_goes_on()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendAsync(3);
        var (leader, follower) = (await ReadAsync(device), await ReadAsync(device));
        Assert.True(await leader.LeadsAsync());

        var debugger = await device.Context.NewCDPSessionAsync(leader.Page);
        var paused = new TaskCompletionSource();
        debugger.Event("Debugger.paused").OnEvent += (_, _) => paused.TrySetResult();
        await debugger.SendAsync("Debugger.enable");
        await debugger.SendAsync("Debugger.pause");
        await paused.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await _person.AppendAsync(3);
        await _person.AllCameOnceAsync(follower);
        Assert.True(await follower.LeadsAsync());

        await debugger.SendAsync("Debugger.disable");
        await _person.AllCameOnceAsync(leader);
        await _person.AllCameOnceAsync(follower);
        Assert.False(await leader.LeadsAsync());
        Assert.Equal(2, device.Traffic.WebSockets);
    }

    private async Task<Tab> ReadAsync(Device device)
    {
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.GotAsync(3);
        await tab.IsAsync("live");
        return tab;
    }
}

using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>What the page says of its connection, and what a person can do about it.</summary>
public sealed class ConnectionTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Offline_it_counts_down_to_the_next_try_and_tries_at_once_when_told()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.CreateAsync(fixture, device);

        // Every wait is as long as it may be, and time passes when the test says so.
        await window.Page.AddInitScriptAsync("Math.random = () => 0.99;");
        await window.Page.Clock.InstallAsync();
        await window.Page.GotoAsync($"{device.Network.Url}#token={_person.Token}");
        await window.IsAsync("live");
        device.Network.Cut();
        await TextAsync(window, "^offline, retrying in [2-8] s$");
        await window.IsAccessibleAsync();
        await TextAsync(window, "^offline, retrying in 8 s$");
        await window.Page.Clock.PauseAtAsync(await window.Page.EvaluateAsync<DateTime>("() => new Date(Date.now() + 3_000)"));

        device.Network.Heal();
        await window.Page.Clock.RunForAsync(300);
        await window.IsAsync("offline");
        await window.Page.ClickAsync("#retry-now");
        await window.Page.Clock.RunForAsync(300);
        await window.IsAsync("live");
        Assert.False(await window.Page.IsVisibleAsync("#retry-now"));
    }

    [Fact]
    public async Task Without_a_network_it_says_so()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        await device.GoOfflineAsync();
        await TextAsync(window, "^offline, no network$");
        await device.ComeBackAsync();
        await window.IsAsync("live");
    }

    [Fact]
    public async Task Where_no_token_is_to_be_had_the_page_says_so_and_takes_one_from_its_address()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.CreateAsync(fixture, device);
        await window.Page.RouteAsync("**/v1/dev/token", route => route.FulfillAsync(new() { Status = 404 }));
        await window.Page.GotoAsync(device.Network.Url.ToString());
        await window.IsAsync("closed");
        Assert.Contains("#token=", await window.Page.InnerTextAsync("#notice"), StringComparison.Ordinal);
        await window.IsAccessibleAsync();

        await window.Page.GotoAsync($"{device.Network.Url}#token={_person.Token}");
        await window.IsAsync("live");
        Assert.False(await window.Page.IsVisibleAsync("#notice"));
        Assert.DoesNotContain("token", window.Page.Url, StringComparison.Ordinal);
        await window.Page.ReloadAsync();
        await window.IsAsync("live");
    }

    [Fact]
    public async Task Who_gives_another_name_sees_that_persons_runs_and_no_others()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendRunAsync(12);
        var window = await Window.CreateAsync(fixture, device);
        await window.Page.GotoAsync(device.Network.Url.ToString());
        await window.IsAsync("live");
        await window.Page.FillAsync("#user", _person.User);
        await window.Page.PressAsync("#user", "Enter");
        await window.ShowsRunAsync("completed");
        await window.IsWholeAsync(_person);

        await window.Page.FillAsync("#user", fixture.Standalone.Person().User);
        await window.Page.PressAsync("#user", "Enter");
        await window.ShowsAsync("#empty");
        Assert.Empty(await window.ShownAsync());
        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task Three_tabs_share_a_connection_and_show_the_same_when_the_one_that_held_it_is_closed_in_mid_run()
    {
        await using var device = await fixture.DeviceAsync();
        var windows = new List<Window>();
        for (var tab = 0; tab < 3; tab++)
        {
            windows.Add(await Window.OpenAsync(fixture, device, _person));
        }

        Assert.Equal(1, device.Traffic.WebSockets);
        await windows[1].ShowsAsync("#connection[data-leader='false']");
        await windows[0].AskAsync("What is (17 + 4) * 2, and what time is it?");
        await windows[0].ShowsAsync("#connection[data-leader='true']");
        await windows[2].ShowsAsync("article.run[data-status='running'] .step");
        await windows[0].Page.CloseAsync();
        foreach (var window in windows[1..])
        {
            await window.ShowsRunAsync("completed");
            await window.IsWholeAsync(_person);
            Assert.Empty(window.Faults);
        }

        Assert.Equal(2, device.Traffic.WebSockets);
    }

    private static Task TextAsync(Window window, string pattern) => Eventually.HoldsAsync(
        $"the connection is shown as {pattern}",
        async () => System.Text.RegularExpressions.Regex.IsMatch(await window.Page.TextContentAsync("#connection-text") ?? "", pattern));
}

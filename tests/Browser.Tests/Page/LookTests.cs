using Microsoft.Playwright;

namespace Pipeline.Browser.Tests;

/// <summary>How the page looks and fits, and that everybody can use what it shows.</summary>
public sealed class LookTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Theory]
    [InlineData(360, 740)]
    [InlineData(1280, 800)]
    public async Task Everything_fits_and_is_accessible_light_and_dark(int width, int height)
    {
        await using var device = await fixture.DeviceAsync(options: new()
        {
            ViewportSize = new() { Width = width, Height = height },
            HasTouch = width < 500,
        });
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.ShowsAsync("#empty");
        await FitsAsync(window);

        await window.AskAsync($"What is 1 + 1? {new string('x', 200)}");
        await window.ShowsAsync("article.run[data-status='running'] .step");
        await FitsAsync(window);
        await window.ShowsRunAsync("completed");
        await window.Page.ClickAsync(".step.tool summary");
        await FitsAsync(window);

        await window.Page.ClickAsync("#connection");
        await window.ShowsAsync("#connection-panel");
        await FitsAsync(window);
        await window.Page.Keyboard.PressAsync("Escape");
        if (await window.Page.IsVisibleAsync(".menu"))
        {
            await window.Page.ClickAsync(".menu");
            await window.ShowsAsync("#threads button");
            await FitsAsync(window);
        }

        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task A_run_that_failed_says_what_went_wrong()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendRunAsync(12, fails: true);
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.ShowsAsync("article.run[data-status='failed'] .failure >> text=The search is down.");
        await window.ShowsAsync(".step.tool[data-state='failed'] .tool-outcome >> text=No answer");
        await window.IsWholeAsync(_person);
        await FitsAsync(window);
    }

    [Fact]
    public async Task Chosen_colours_outlive_a_reload_and_win_over_the_systems()
    {
        await using var device = await fixture.DeviceAsync(options: new() { ColorScheme = ColorScheme.Light });
        var window = await Window.OpenAsync(fixture, device, _person);
        var light = await BackgroundAsync(window);
        await window.Page.CheckAsync("#themes input[value='dark']", new() { Force = true });
        var dark = await BackgroundAsync(window);
        Assert.NotEqual(light, dark);
        await window.Page.ReloadAsync();
        Assert.Equal(dark, await BackgroundAsync(window));
        await window.IsAsync("live");
        await window.IsAccessibleAsync();
    }

    [Fact]
    public async Task A_threads_list_leads_from_one_conversation_to_another()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.AskAsync("What is 1 + 2?");
        await window.ShowsRunAsync("completed");
        await window.Page.ClickAsync("#new-thread");
        await window.ShowsAsync("#empty");
        await window.AskAsync("What is 3 + 4?");
        await window.ShowsAsync("article.run .request >> text=What is 3 + 4?");
        await window.ShowsRunAsync("completed");
        await window.IsAccessibleAsync();
        await window.Page.ClickAsync("#threads >> text=What is 1 + 2?");
        await window.ShowsAsync("article.run .request >> text=What is 1 + 2?");
        Assert.Equal("What is 1 + 2?", Assert.Single(await window.ShownAsync()).Request);
        Assert.Empty(window.Faults);
    }

    private static async Task FitsAsync(Window window)
    {
        Assert.Equal(0, await window.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"));
        await window.IsAccessibleAsync();
    }

    private static Task<string> BackgroundAsync(Window window) =>
        window.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");
}

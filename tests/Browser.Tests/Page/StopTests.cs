namespace Pipeline.Browser.Tests;

/// <summary>A run can be stopped from wherever its person is.</summary>
public sealed class StopTests(StandaloneFixture fixture)
{
    private const string LongRequest = "Think for a long while about queues";
    private readonly Person _person = fixture.Standalone.Person();

    [Theory]
    [InlineData("article.run .stop")]
    [InlineData("#composer #stop")]
    public async Task Either_stop_button_ends_a_long_run(string button)
    {
        await using var device = await fixture.DeviceAsync();
        var window = await AskAsync(device);
        await window.IsAccessibleAsync();
        await window.Page.ClickAsync(button);
        await IsStoppedAsync(window);
        await window.IsAccessibleAsync();
        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task A_run_can_be_stopped_after_a_reload()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await AskAsync(device);
        await window.Page.ReloadAsync();
        await window.Page.ClickAsync("article.run .stop");
        await IsStoppedAsync(window);
    }

    [Fact]
    public async Task A_run_can_be_stopped_from_a_second_device_and_the_first_shows_it()
    {
        await using var laptop = await fixture.DeviceAsync();
        await using var phone = await fixture.DeviceAsync();
        var asked = await AskAsync(laptop);
        var other = await Window.OpenAsync(fixture, phone, _person);
        await other.Page.ClickAsync("article.run[data-status='running'] .stop");
        await IsStoppedAsync(other);
        await IsStoppedAsync(asked);
    }

    private async Task<Window> AskAsync(Device device)
    {
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.AskAsync(LongRequest);
        await window.ShowsAsync("article.run[data-status='running'] .step");
        return window;
    }

    private async Task IsStoppedAsync(Window window)
    {
        await window.ShowsRunAsync("cancelled");
        Assert.False(await window.Page.IsVisibleAsync("article.run .stop"));
        await window.IsWholeAsync(_person);
        var ends = (await _person.EventsAsync()).Select(e => e.GetProperty("type").GetString()).Where(type => type == "agent_cancelled");
        Assert.Single(ends);
    }
}

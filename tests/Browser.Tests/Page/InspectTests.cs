using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The page on which one can break things and see them mended.</summary>
public sealed class InspectTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Theory]
    [InlineData("#drop", "socket dropped at 3, re-read")]
    [InlineData("#offline", "network gone at 3, re-read")]
    [InlineData("#skip", "gap noticed at 3, re-read")]
    [InlineData("#twice", "3 events came twice at 4, dropped")]
    [InlineData("#slow", "the handler takes 200 ms an event")]
    [InlineData("#throw", "handler threw at 4, the same event came again")]
    public async Task Whatever_is_broken_the_table_ends_complete_and_without_doubles(string button, string told)
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendAsync(3);
        var window = await Window.CreateAsync(fixture, device);
        await window.Page.Clock.InstallAsync();
        await window.Page.GotoAsync($"{device.Network.Url}inspect/#token={_person.Token}");
        await window.IsAsync("live");
        await ShowsAsync(window, 3);
        await window.Page.ClickAsync(button);
        await _person.AppendAsync(3);
        if (button == "#offline")
        {
            await window.Page.Clock.FastForwardAsync(11_000);
        }

        await ShowsAsync(window, 6);
        await window.ShowsAsync($"#recoveries >> text={told}");

        // What comes twice comes before this one.
        await _person.AppendAsync(1);
        await ShowsAsync(window, 7);
        await window.IsAccessibleAsync();
        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task Filters_rows_and_their_JSON_are_shown()
    {
        await using var device = await fixture.DeviceAsync(options: new() { ViewportSize = new() { Width = 390, Height = 844 } });
        await _person.AppendRunAsync(30);
        var window = await Window.OpenAsync(fixture, device, _person, "inspect/");
        await window.ShowsAsync("#shown >> text=30 of 30 events");
        await window.Page.SelectOptionAsync("#filter-type", "tool_completed");
        await window.ShowsAsync("#shown >> text=2 of 30 events");
        await window.Page.ClickAsync("#table tr[data-type='tool_completed'] button");
        var shown = await window.Page.TextContentAsync("#event-json");
        Assert.Contains("\"toolCallId\": \"c4\"", shown, StringComparison.Ordinal);
        Assert.Equal(0, await window.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"));
        await window.IsAccessibleAsync();
        Assert.Empty(window.Faults);
    }

    private static Task ShowsAsync(Window window, int events) => Eventually.HoldsAsync(
        $"the rows 1 to {events} are shown, once each",
        async () => (await window.Page.EvaluateAsync<int[]>(
            "() => [...document.querySelectorAll('#table tr[data-position]')].map(({ dataset }) => +dataset.position)"))
            .SequenceEqual(Enumerable.Range(1, events)));
}

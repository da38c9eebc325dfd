namespace Pipeline.Browser.Tests;

/// <summary>Nothing else runs while a person's patience is measured.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>A long history is read without freezing the page or moving what is on it.</summary>
[Collection(nameof(Alone))]
public sealed class HistoryTests(StandaloneFixture fixture)
{
    private const int Runs = 10;
    private const int EventsEach = 1_000;
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Ten_thousand_events_are_shown_whole_without_a_long_task_or_a_layout_shift()
    {
        await using var device = await fixture.DeviceAsync();
        await AppendAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.Page.WaitForFunctionAsync(
            "runs => document.querySelectorAll('article.run[data-status=completed]').length === runs", Runs);
        Assert.All(await window.ShownAsync(), run => Assert.Equal((EventsEach, EventsEach), (run.Count, (int)run.Sequence)));
        Assert.Contains(await window.Page.EvaluateAsync<string[]>("() => observed.texts"), text =>
            text.StartsWith("catching up: ", StringComparison.Ordinal) && text.EndsWith(" events", StringComparison.Ordinal));
        await IsSmoothAsync(window);
        await window.IsAccessibleAsync();
        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task Ten_thousand_events_are_inspected_without_a_long_task_or_a_layout_shift()
    {
        await using var device = await fixture.DeviceAsync();
        await AppendAsync();
        var window = await Window.OpenAsync(fixture, device, _person, "inspect/");
        await window.ShowsAsync("#shown >> text=10,000 of 10,000 events");
        await window.ShowsAsync("#table tr[data-position='10000']");
        await IsSmoothAsync(window);
        await window.IsAccessibleAsync();
        Assert.Empty(window.Faults);
    }

    private async Task AppendAsync()
    {
        for (var run = 0; run < Runs; run++)
        {
            await _person.AppendRunAsync(EventsEach);
        }
    }

    private static async Task IsSmoothAsync(Window window)
    {
        Assert.InRange(await window.Page.EvaluateAsync<double>("() => observed.longest"), 0, 200);
        Assert.InRange(await window.Page.EvaluateAsync<double>("() => observed.shift"), 0, 0.1);
    }
}

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

    // Milliseconds.
    private const double LongTask = 200;
    private const int Visits = 3;
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Ten_thousand_events_are_shown_whole_without_a_long_task_or_a_layout_shift()
    {
        await AppendAsync();
        await IsSmoothAsync(ShowAsync);
    }

    [Fact]
    public async Task Ten_thousand_events_are_inspected_without_a_long_task_or_a_layout_shift()
    {
        await AppendAsync();
        await IsSmoothAsync(InspectAsync);
    }

    private async Task<Window> ShowAsync(Device device)
    {
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.Page.WaitForFunctionAsync(
            "runs => document.querySelectorAll('article.run[data-status=completed]').length === runs", Runs);
        Assert.All(await window.ShownAsync(), run => Assert.Equal((EventsEach, EventsEach), (run.Count, (int)run.Sequence)));
        Assert.Contains(await window.Page.EvaluateAsync<string[]>("() => observed.texts"), text =>
            text.StartsWith("catching up: ", StringComparison.Ordinal) && text.EndsWith(" events", StringComparison.Ordinal));
        return window;
    }

    private async Task<Window> InspectAsync(Device device)
    {
        var window = await Window.OpenAsync(fixture, device, _person, "inspect/");
        await window.ShowsAsync("#shown >> text=10,000 of 10,000 events");
        await window.ShowsAsync("#table tr[data-position='10000']");
        return window;
    }

    private async Task AppendAsync()
    {
        for (var run = 0; run < Runs; run++)
        {
            await _person.AppendRunAsync(EventsEach);
        }
    }

    // A task of ours is long on every visit; where the machine stood still, only on that one.
    private async Task IsSmoothAsync(Func<Device, Task<Window>> visit)
    {
        var longest = double.MaxValue;
        for (var visits = 0; visits < Visits && longest > LongTask; visits++)
        {
            await using var device = await fixture.DeviceAsync();
            var window = await visit(device);
            longest = Math.Min(longest, await window.Page.EvaluateAsync<double>("() => observed.longest"));
            Assert.InRange(await window.Page.EvaluateAsync<double>("() => observed.shift"), 0, 0.1);
            await window.IsAccessibleAsync();
            Assert.Empty(window.Faults);
        }

        Assert.InRange(longest, 0, LongTask);
    }
}

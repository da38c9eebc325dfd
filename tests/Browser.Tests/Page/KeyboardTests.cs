namespace Pipeline.Browser.Tests;

/// <summary>The page without a mouse.</summary>
public sealed class KeyboardTests(StandaloneFixture fixture)
{
    // Its name, and whether it, or what is drawn around it, shows the focus.
    private const string DescribeFocus = """
        () => {
          const focused = document.activeElement;
          const shows = ({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none';
          const around = [focused, focused.parentElement, focused.nextElementSibling].filter(Boolean);
          const isSeen = focused === document.body || around.some(element => shows(getComputedStyle(element)));
          return [focused.tagName, focused.id || focused.className || focused.name, isSeen ? '' : 'unseen'].filter(Boolean).join(' ');
        }
        """;

    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_run_is_asked_for_looked_into_and_stopped_with_keys_alone()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        var keys = window.Page.Keyboard;
        await keys.PressAsync("Tab");
        await IsOnAsync(window, ".skip");
        await keys.PressAsync("Enter");
        await IsOnAsync(window, "#input");
        await keys.TypeAsync("Think for a long while");
        await keys.PressAsync("Shift+Enter");
        await keys.TypeAsync("about queues");
        await keys.PressAsync("Enter");
        await window.ShowsAsync("article.run[data-status='running'] .step summary");
        Assert.Contains('\n', Assert.Single(await window.ShownAsync()).Request);

        // While a thought streams, the page itself opens and closes it.
        await window.ShowsAsync(".step.thinking[data-state='done'] summary");
        await MoveAsync(window, "Shift+Tab", ".step summary");
        var isOpen = await window.Page.EvaluateAsync<bool>("() => document.activeElement.parentElement.open");
        await keys.PressAsync("Enter");
        Assert.NotEqual(isOpen, await window.Page.EvaluateAsync<bool>("() => document.activeElement.parentElement.open"));

        await MoveAsync(window, "Shift+Tab", "article.run .stop");
        await keys.PressAsync("Enter");
        await window.ShowsRunAsync("cancelled");
        await window.IsWholeAsync(_person);
    }

    [Fact]
    public async Task Every_control_is_reached_by_tab_once_a_round_and_shows_that_it_is()
    {
        await using var device = await fixture.DeviceAsync();
        await _person.AppendRunAsync(12);
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.ShowsRunAsync("completed");
        var reached = new List<string>();
        while (reached.Count < 60 && reached.LastOrDefault() != "BODY")
        {
            await window.Page.Keyboard.PressAsync("Tab");
            reached.Add(await window.Page.EvaluateAsync<string>(DescribeFocus));
        }

        Assert.DoesNotContain(reached, name => name.EndsWith("unseen", StringComparison.Ordinal));
        Assert.Equal(["A skip", "BUTTON new-thread", "BUTTON thread"], reached[..3]);
        Assert.Subset(
            reached.ToHashSet(),
            new HashSet<string> { "INPUT theme", "BUTTON connection", "DIV transcript", "SUMMARY", "TEXTAREA input", "BUTTON send" });
    }

    private static async Task MoveAsync(Window window, string key, string target)
    {
        for (var step = 0; step < 40; step++)
        {
            await window.Page.Keyboard.PressAsync(key);
            if (await IsAtAsync(window, target))
            {
                return;
            }
        }

        Assert.Fail($"{key} does not lead to {target}");
    }

    private static async Task IsOnAsync(Window window, string target) =>
        Assert.True(await IsAtAsync(window, target), await window.Page.EvaluateAsync<string>("() => document.activeElement.outerHTML"));

    private static Task<bool> IsAtAsync(Window window, string target) =>
        window.Page.EvaluateAsync<bool>("target => document.activeElement.matches(target)", target);
}

using Microsoft.Playwright;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>What a person sees on the page, held against the events that were committed.</summary>
public sealed class PageTests(StandaloneFixture standalone) : IClassFixture<StandaloneFixture>
{
    private const string Request = "What is (17 + 4) * 2, what time is it, and how does a browser catch up?";
    private const string LongRequest = "Think for a long while about queues";

    private readonly string _user = $"user-{Guid.CreateVersion7():n}";

    [Fact]
    public async Task A_run_is_shown_once_and_in_order_through_a_reload_and_a_lost_connection()
    {
        await using var window = await Window.OpenAsync(standalone, _user);
        await window.AskAsync(Request);
        await window.ShowsAsync("article.run[data-status='running'] .step");
        await ShowsWhatWasCommittedAsync(window);
        Assert.Empty(window.Faults);

        await window.Page.ReloadAsync();
        await window.ShowsAsync("article.run[data-status='running'] .step.tool");
        await ShowsWhatWasCommittedAsync(window);
        Assert.Empty(window.Faults);

        await window.GoOfflineAsync();
        await window.IsInPhaseAsync("offline");
        var before = Assert.Single(await window.ShownAsync());
        await Eventually.HoldsAsync(
            "three events were committed that the page can't have seen",
            async () => (await standalone.EventsAsync(_user)).Count >= before.Count + 3);
        Assert.Equal(before.Lines(), Assert.Single(await window.ShownAsync()).Lines());
        Assert.Equal("running", before.Status);

        await window.ComeBackAsync();
        await window.IsInPhaseAsync("live");
        await window.ShowsRunAsync("completed");
        await ShowsWhatWasCommittedAsync(window);
        await IsWholeAsync(window);
    }

    [Fact]
    public async Task An_EventSource_gets_every_event_once_and_in_order_through_a_lost_connection()
    {
        await using var window = await Window.OpenAsync(standalone, _user);
        await window.Page.EvaluateAsync(
            """
            token => {
              window.got = [];
              const source = new EventSource(`/v1/events?after=0&access_token=${token}`);
              source.onmessage = message => window.got.push(`${message.lastEventId} ${JSON.parse(message.data).cursor}`);
            }
            """,
            await standalone.TokenAsync(_user));
        await window.AskAsync(Request);
        await window.Page.WaitForFunctionAsync("() => window.got.length >= 3");
        window.Network.Cut();
        window.Network.Heal();
        await window.ShowsRunAsync("completed");

        var cursors = (await standalone.EventsAsync(_user)).Select(e => e.GetProperty("cursor").GetString()).ToList();
        await window.Page.WaitForFunctionAsync("count => window.got.length >= count", cursors.Count);
        Assert.Equal(cursors.Select(cursor => $"{cursor} {cursor}"), await window.Page.EvaluateAsync<string[]>("() => window.got"));
    }

    [Fact]
    public async Task A_person_who_was_away_sees_the_whole_run_later_and_nobody_else_sees_any_of_it()
    {
        await using (var window = await Window.OpenAsync(standalone, _user))
        {
            await window.AskAsync("What is 2 + 2?");
            await window.ShowsAsync("article.run");
        }

        await Eventually.HoldsAsync("the run ended", async () =>
            (await standalone.EventsAsync(_user)).Any(e => e.GetProperty("type").GetString() == "agent_completed"));
        await using var later = await Window.OpenAsync(standalone, _user);
        await later.ShowsRunAsync("completed");
        await IsWholeAsync(later);
        Assert.Empty(later.Faults);

        await using var stranger = await Window.OpenAsync(standalone, $"other-{_user}");
        await stranger.ShowsAsync("#empty");
        Assert.Empty(await stranger.ShownAsync());
        Assert.Empty(stranger.Faults);
    }

    [Fact]
    public async Task The_stop_button_ends_a_long_run()
    {
        await using var window = await Window.OpenAsync(standalone, _user);
        await window.AskAsync(LongRequest);
        await window.ShowsAsync("article.run[data-status='running'] .step");
        await window.Page.ClickAsync("article.run .stop");
        await window.ShowsRunAsync("cancelled", seconds: 10);
        Assert.False(await window.Page.IsVisibleAsync("article.run .stop"));
        await IsWholeAsync(window);
        Assert.Equal("agent_cancelled", (await standalone.EventsAsync(_user))[^1].GetProperty("type").GetString());
        Assert.Empty(window.Faults);
    }

    [Fact]
    public async Task A_request_whose_answer_was_lost_is_sent_again_and_done_once()
    {
        await using var window = await Window.OpenAsync(standalone, _user);
        var answers = 0;
        await window.Page.RouteAsync("**/runs", async route =>
        {
            if (Interlocked.Increment(ref answers) == 1)
            {
                await route.FetchAsync();
                await route.AbortAsync();
            }
            else
            {
                await route.ContinueAsync();
            }
        });
        await window.AskAsync("What is 2 + 2?");
        await Eventually.HoldsAsync("the request was sent twice", () => answers == 2);
        await window.ShowsRunAsync("completed");
        Assert.Equal("", await window.Page.InputValueAsync("#input"));
        await IsWholeAsync(window);
        Assert.Single(await window.ShownAsync());
    }

    [Fact]
    public async Task A_run_goes_on_when_the_host_died_and_another_took_its_place()
    {
        await using var window = await Window.OpenAsync(standalone, _user);
        await window.AskAsync(Request);
        await window.ShowsAsync("article.run[data-status='running'] .step.tool");
        await standalone.Host.KillAsync();
        await window.IsInPhaseAsync("offline");
        await standalone.Host.DisposeAsync();
        await standalone.StartHostAsync();
        window.Network.Retarget(standalone.Host.Url.Host, standalone.Host.Url.Port);
        await window.IsInPhaseAsync("live");
        await window.ShowsRunAsync("completed");
        var events = await standalone.EventsAsync(_user);
        var shown = Assert.Single(await window.ShownAsync());
        Assert.Equal(events.Count, shown.Count);
        Assert.Equal(events[^1].GetProperty("sequence").GetInt64(), shown.Sequence);
        Assert.Contains(shown.Steps, step => step.Kind == "resumed");
    }

    [Fact]
    public async Task Where_no_token_is_to_be_had_the_page_says_so_and_takes_one_from_its_address()
    {
        var token = await standalone.TokenAsync(_user);
        await using var window = await Window.CreateAsync(standalone);
        await window.Page.RouteAsync("**/v1/dev/token", route => route.FulfillAsync(new() { Status = 404 }));
        await window.Page.GotoAsync(window.Network.Url.ToString());
        await window.IsInPhaseAsync("stopped");
        Assert.Contains("#token=", await window.Page.InnerTextAsync("#notice"), StringComparison.Ordinal);

        await window.Page.GotoAsync($"{window.Network.Url}#token={token}");
        await window.IsInPhaseAsync("live");
        Assert.False(await window.Page.IsVisibleAsync("#notice"));
        Assert.DoesNotContain("token", window.Page.Url, StringComparison.Ordinal);
        await window.Page.ReloadAsync();
        await window.IsInPhaseAsync("live");
    }

    [Theory]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [InlineData(1280, ColorScheme.Light)]
    public async Task The_page_fits_its_window(int width, ColorScheme scheme)
    {
        var options = new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = 800 },
            ColorScheme = scheme,
        };
        await using var window = await Window.OpenAsync(standalone, _user, options);
        await window.AskAsync($"What is 1 + 1? {new string('x', 200)}");
        await window.ShowsRunAsync("completed");
        Assert.Equal(0, await window.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"));
        Assert.Empty(window.Faults);
    }

    /// <summary>The page is at some point of the log: what it shows is exactly what was committed up to there.</summary>
    private async Task ShowsWhatWasCommittedAsync(Window window)
    {
        var shown = await window.ShownAsync();
        Assert.NotEmpty(shown);
        var committed = (await standalone.EventsAsync(_user)).ToLookup(e => e.GetProperty("run").GetString()!);
        foreach (var run in shown)
        {
            var upTo = committed[run.Run].TakeWhile(e => e.GetProperty("sequence").GetInt64() <= run.Sequence);
            Assert.Equal(ShownRun.Expected([.. upTo]), run.Lines());
        }
    }

    /// <summary>Everything that was committed is shown, once and in order.</summary>
    private async Task IsWholeAsync(Window window)
    {
        var committed = (await standalone.EventsAsync(_user)).GroupBy(e => e.GetProperty("run").GetString()!);
        var expected = committed.SelectMany(run => ShownRun.Expected([.. run]));
        Assert.Equal(expected, (await window.ShownAsync()).SelectMany(run => run.Lines()));
    }
}

using System.Collections.Concurrent;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>What a person sees of a run on the page, held against the events that were committed.</summary>
public sealed class RunTests(StandaloneFixture fixture)
{
    private const string Request = "What is (17 + 4) * 2, what time is it, and how does a browser catch up?";

    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_run_is_shown_once_and_in_order_through_a_reload_and_a_lost_connection()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        await window.AskAsync(Request);
        await window.ShowsAsync("article.run[data-status='running'] .step");
        await window.ShowsWhatWasCommittedAsync(_person);

        await window.Page.ReloadAsync();
        await window.ShowsAsync("article.run[data-status='running'] .step.tool");
        await window.ShowsWhatWasCommittedAsync(_person);
        Assert.Empty(window.Faults);

        await device.GoOfflineAsync();
        await window.IsAsync("offline");

        // What came just before that is drawn with the next frame.
        await window.Page.EvaluateAsync("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
        var before = Assert.Single(await window.ShownAsync());
        await Eventually.HoldsAsync(
            "three events were committed that the page can't have seen",
            async () => (await _person.EventsAsync()).Count >= before.Count + 3);
        Assert.Equal(before.Lines(), Assert.Single(await window.ShownAsync()).Lines());
        Assert.Equal("running", before.Status);

        await device.ComeBackAsync();
        await window.IsAsync("live");
        await window.ShowsRunAsync("completed");
        await window.ShowsWhatWasCommittedAsync(_person);
        await window.IsWholeAsync(_person);
    }

    [Fact]
    public async Task A_person_who_was_away_sees_the_whole_run_later_and_nobody_else_sees_any_of_it()
    {
        await using (var device = await fixture.DeviceAsync())
        {
            var window = await Window.OpenAsync(fixture, device, _person);
            await window.AskAsync("What is 2 + 2?");
            await window.ShowsAsync("article.run");
        }

        await Eventually.HoldsAsync(
            "the run ended",
            async () => (await _person.EventsAsync()).Any(e => e.GetProperty("type").GetString() == "agent_completed"),
            TimeSpan.FromSeconds(60));
        await using var laterDevice = await fixture.DeviceAsync();
        var later = await Window.OpenAsync(fixture, laterDevice, _person);
        await later.ShowsRunAsync("completed");
        await later.IsWholeAsync(_person);
        Assert.Empty(later.Faults);

        await using var otherDevice = await fixture.DeviceAsync();
        var stranger = await Window.OpenAsync(fixture, otherDevice, fixture.Standalone.Person());
        await stranger.ShowsAsync("#empty");
        Assert.Empty(await stranger.ShownAsync());
        Assert.Empty(stranger.Faults);
    }

    [Fact]
    public async Task A_request_whose_answer_was_lost_is_sent_again_and_done_once()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
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
        await window.Page.WaitForFunctionAsync("() => document.querySelectorAll('article').length === 1");
        await window.IsWholeAsync(_person);
    }

    [Fact]
    public async Task A_request_that_was_refused_is_kept_and_may_be_sent_again_or_discarded()
    {
        await using var device = await fixture.DeviceAsync();
        var window = await Window.OpenAsync(fixture, device, _person);
        var keys = new ConcurrentQueue<string>();
        window.Page.Request += (_, request) =>
        {
            if (request.Headers.TryGetValue("idempotency-key", out var key))
            {
                keys.Enqueue(key);
            }
        };
        await window.Page.RouteAsync("**/runs", route => route.FulfillAsync(new()
        {
            Status = 403, ContentType = "application/problem+json", Body = """{"title":"No","detail":"Not today."}""",
        }));
        await window.AskAsync("What is 2 + 2?");
        await window.ShowsAsync("article.pending[data-state='failed'] >> text=Not today.");
        await window.AskAsync("What is 3 + 3?");
        await window.ShowsAsync("#pending li:nth-child(2) article[data-state='failed']");
        await window.IsAccessibleAsync();

        await window.Page.UnrouteAllAsync();
        await window.Page.ClickAsync("#pending li:nth-child(2) button:text-is('Discard')");
        await window.Page.ClickAsync("#pending button:text-is('Try again')");
        await window.ShowsRunAsync("completed");
        Assert.Equal("What is 2 + 2?", Assert.Single(await window.ShownAsync()).Request);
        Assert.Equal(0, await window.Page.Locator("article.pending").CountAsync());
        Assert.Equal(keys.First(), keys.Last());
        Assert.Equal(2, keys.Distinct().Count());
        await window.IsWholeAsync(_person);
    }

    [Fact]
    public async Task A_run_goes_on_on_the_page_when_the_host_died_and_another_took_its_place()
    {
        await using var service = await Standalone.StartAsync(("Worker:Lease", "00:00:03"));
        await using var device = await fixture.DeviceAsync(service);
        var person = service.Person();
        var window = await Window.OpenAsync(fixture, device, person);
        await window.AskAsync(Request);
        await window.ShowsAsync("article.run[data-status='running'] .step.tool");
        await service.Host.KillAsync();
        await window.IsAsync("offline");
        await service.Host.StartAgainAsync();
        await window.IsAsync("live");
        await window.ShowsRunAsync("completed");
        Assert.Contains(Assert.Single(await window.ShownAsync()).Steps, step => step.Kind == "resumed");
        await window.IsWholeAsync(person);
    }
}

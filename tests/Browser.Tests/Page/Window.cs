using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Pipeline.Browser.Tests;

/// <summary>A window on the page, as a person sees it.</summary>
public sealed class Window
{
    private const string ReadRuns = """
        () => [...document.querySelectorAll('article.run')].map(run => ({
          run: run.dataset.run,
          status: run.dataset.status,
          sequence: Number(run.dataset.sequence),
          count: Number(run.dataset.count),
          request: run.querySelector('.request').textContent,
          steps: [...run.querySelectorAll('.step')].map(step => ({
            kind: step.dataset.kind,
            state: step.dataset.state ?? '',
            text: (step.querySelector('.text') ?? step.querySelector('.tool-name')).textContent,
            blocks: [...step.querySelectorAll('pre')].map(block => block.textContent),
          })),
        }))
        """;

    // What the pill said, and what a person would have felt of it: kept from before the page's own script runs.
    private const string Observe = """
        globalThis.observed = { texts: [], longest: 0, shift: 0 };
        addEventListener('DOMContentLoaded', () => {
          const pill = document.getElementById('connection-text');
          if (pill) new MutationObserver(() => observed.texts.push(pill.textContent)).observe(pill, { childList: true, characterData: true, subtree: true });
        });
        new PerformanceObserver(list => {
          for (const { duration } of list.getEntries()) observed.longest = Math.max(observed.longest, duration);
        }).observe({ type: 'longtask', buffered: true });
        new PerformanceObserver(list => {
          for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) observed.shift += value;
        }).observe({ type: 'layout-shift', buffered: true });
        """;

    private readonly StandaloneFixture _fixture;
    private readonly ConcurrentQueue<string> _faults = new();

    private Window(StandaloneFixture fixture, Device device, IPage page)
    {
        (_fixture, Page) = (fixture, page);
        var home = device.Network.Url.ToString();
        page.Console += (_, message) => Note(message.Type is "error" or "warning", $"console: {message.Text}");
        page.PageError += (_, error) => Note(true, $"script: {error}");
        page.Request += (_, request) => Note(!request.Url.StartsWith(home, StringComparison.Ordinal), $"request to {request.Url}");
    }

    public IPage Page { get; }

    /// <summary>What a clean page never has: console errors (a breach of its Content-Security-Policy is one), script errors, requests to other places.</summary>
    public IReadOnlyCollection<string> Faults => [.. _faults];

    /// <summary>Opens the page with this person's token and waits until it is live.</summary>
    public static async Task<Window> OpenAsync(StandaloneFixture fixture, Device device, Person person, string path = "")
    {
        var window = await CreateAsync(fixture, device);
        await window.Page.GotoAsync($"{device.Network.Url}{path}#token={person.Token}");
        await window.IsAsync("live");
        return window;
    }

    /// <summary>A window that shows nothing yet.</summary>
    public static async Task<Window> CreateAsync(StandaloneFixture fixture, Device device)
    {
        var window = new Window(fixture, device, await device.Context.NewPageAsync());
        await window.Page.AddInitScriptAsync(Observe);
        return window;
    }

    public async Task AskAsync(string request)
    {
        await Page.FillAsync("#input", request);
        await Page.PressAsync("#input", "Enter");
    }

    /// <summary>Waits until the connection is shown as <c>live</c>, <c>offline</c> …</summary>
    public Task IsAsync(string status) => ShowsAsync($"#connection[data-status='{status}']");

    /// <summary>Waits until a run is shown with this status.</summary>
    public Task ShowsRunAsync(string status, int seconds = 60) => ShowsAsync($"article.run[data-status='{status}']", seconds);

    /// <summary>Waits until something is to be seen on the page.</summary>
    /// <exception cref="TimeoutException">It did not appear; tells what was there instead, and what the host printed.</exception>
    public async Task ShowsAsync(string selector, int seconds = 30)
    {
        try
        {
            await Page.WaitForSelectorAsync(selector, new PageWaitForSelectorOptions { Timeout = seconds * 1_000 });
        }
        catch (TimeoutException exception)
        {
            var output = _fixture.Standalone.Host.Output;
            throw new TimeoutException(
                $"'{selector}' did not appear within {seconds} s. The page shows:\n{await Page.InnerTextAsync("body")}\n"
                + $"Faults:\n{string.Join('\n', Faults)}\nThe host printed last:\n{output[Math.Max(0, output.Length - 4_000)..]}",
                exception);
        }
    }

    /// <summary>What the page shows, read in one piece.</summary>
    public async Task<IReadOnlyList<ShownRun>> ShownAsync() => await Page.EvaluateAsync<ShownRun[]>(ReadRuns);

    /// <summary>The page is at some point of the log: what it shows is exactly what was committed up to there.</summary>
    public async Task ShowsWhatWasCommittedAsync(Person person)
    {
        var shown = await ShownAsync();
        Assert.NotEmpty(shown);
        var committed = (await person.EventsAsync()).ToLookup(e => e.GetProperty("run").GetString()!);
        foreach (var run in shown)
        {
            var upTo = committed[run.Run].TakeWhile(e => e.GetProperty("sequence").GetInt64() <= run.Sequence);
            Assert.Equal(ShownRun.Expected([.. upTo]), run.Lines());
        }
    }

    /// <summary>Everything that was committed is shown, once and in order.</summary>
    public async Task IsWholeAsync(Person person)
    {
        var committed = (await person.EventsAsync()).GroupBy(e => e.GetProperty("run").GetString()!);
        var expected = committed.SelectMany(run => ShownRun.Expected([.. run]));
        Assert.Equal(expected, (await ShownAsync()).SelectMany(run => run.Lines()));
    }

    private void Note(bool isFault, string text)
    {
        if (isFault)
        {
            _faults.Enqueue(text);
        }
    }
}

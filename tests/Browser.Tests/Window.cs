using System.Collections.Concurrent;
using Microsoft.Playwright;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>One browser window of a person on the page, behind a network of its own.</summary>
public sealed class Window : IAsyncDisposable
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

    private readonly StandaloneFixture _standalone;
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _faults = new();

    private Window(StandaloneFixture standalone, IBrowserContext context, IPage page, FaultProxy network)
    {
        _standalone = standalone;
        _context = context;
        Page = page;
        Network = network;
        page.Console += (_, message) => Note(message.Type is "error" or "warning", $"console: {message.Text}");
        page.PageError += (_, error) => Note(true, $"script: {error}");
        page.Request += (_, request) => Note(
            !request.Url.StartsWith(network.Url.ToString(), StringComparison.Ordinal), $"request to {request.Url}");
    }

    public IPage Page { get; }

    public FaultProxy Network { get; }

    /// <summary>What a clean page never has: console errors, script errors, requests to other places.</summary>
    public IReadOnlyCollection<string> Faults => [.. _faults];

    /// <summary>Opens the page as this user and waits until it is live.</summary>
    public static async Task<Window> OpenAsync(StandaloneFixture standalone, string user, BrowserNewContextOptions? options = null)
    {
        var window = await CreateAsync(standalone, options);
        await window.Page.GotoAsync(window.Network.Url.ToString());
        await window.IsInPhaseAsync("live");
        await window.Page.FillAsync("#user", user);
        await window.Page.PressAsync("#user", "Enter");
        await window.IsInPhaseAsync("live");
        return window;
    }

    /// <summary>A window that shows nothing yet.</summary>
    public static async Task<Window> CreateAsync(StandaloneFixture standalone, BrowserNewContextOptions? options = null)
    {
        var network = new FaultProxy(standalone.Host.Url.Host, standalone.Host.Url.Port);
        var context = await standalone.Browser.NewContextAsync(options);
        return new Window(standalone, context, await context.NewPageAsync(), network);
    }

    public async Task AskAsync(string request)
    {
        await Page.FillAsync("#input", request);
        await Page.PressAsync("#input", "Enter");
    }

    /// <summary>Waits until the connection is shown as <c>live</c>, <c>offline</c> …</summary>
    public Task IsInPhaseAsync(string phase) => ShowsAsync($"#connection[data-phase='{phase}']");

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
            var output = _standalone.Host.Output;
            throw new TimeoutException(
                $"'{selector}' did not appear within {seconds} s. The page shows:\n{await Page.InnerTextAsync("body")}\n"
                + $"Faults:\n{string.Join('\n', Faults)}\nThe host printed last:\n{output[Math.Max(0, output.Length - 4_000)..]}",
                exception);
        }
    }

    public async Task GoOfflineAsync()
    {
        Network.Cut();
        await _context.SetOfflineAsync(true);
    }

    public async Task ComeBackAsync()
    {
        Network.Heal();
        await _context.SetOfflineAsync(false);
    }

    /// <summary>What the page shows, read in one piece.</summary>
    public async Task<IReadOnlyList<ShownRun>> ShownAsync() => await Page.EvaluateAsync<ShownRun[]>(ReadRuns);

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        await Network.DisposeAsync();
    }

    private void Note(bool isFault, string text)
    {
        if (isFault)
        {
            _faults.Enqueue(text);
        }
    }
}

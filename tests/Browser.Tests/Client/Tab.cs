using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Pipeline.Browser.Tests;

/// <summary>A tab that reads with the client library by itself, and records what its handlers were given.</summary>
public sealed class Tab
{
    private static readonly Lazy<string> Recorder = new(ReadRecorder);
    private readonly ConcurrentQueue<string> _scriptErrors = new();

    private Tab(IPage page)
    {
        Page = page;
        page.PageError += (_, error) => _scriptErrors.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>What nothing caught.</summary>
    public IReadOnlyCollection<string> ScriptErrors => [.. _scriptErrors];

    public static async Task<Tab> OpenAsync(IBrowserContext context, Uri document)
    {
        var tab = new Tab(await context.NewPageAsync());
        await tab.Page.AddInitScriptAsync(Recorder.Value);
        await tab.Page.GotoAsync(document.ToString());
        return tab;
    }

    /// <summary>Connects; options as of the library's <c>connect</c>, a store by its name.</summary>
    /// <param name="handler">JavaScript: what is called with each event. It has <c>take</c>, which records it, and <c>record</c>.</param>
    public Task ReadAsync(object options, string handler = "take") =>
        Page.EvaluateAsync($"options => read(options, {handler})", options);

    /// <summary>Gives a token to the library whenever it asks for one.</summary>
    public Task GiveTokensAsync(Func<string> token) => Page.ExposeFunctionAsync("giveToken", token);

    /// <summary>What was recorded: <c>got</c> (cursor and id of events, and resets), <c>states</c>, <c>errors</c>.</summary>
    public Task<string[]> RecordedAsync(string kind) => Page.EvaluateAsync<string[]>("kind => recorded(kind)", kind);

    /// <summary>Waits until handlers were given so many things.</summary>
    public Task GotAsync(int count) => UntilAsync($"{count} things came", $"recorded('got').length >= {count}");

    /// <summary>Waits until the library says that it is <c>live</c>, <c>offline</c> …</summary>
    public Task IsAsync(string status) => UntilAsync($"it is {status}", $"events.state.status === '{status}'");

    public Task ReadsOverAsync(string transport) =>
        UntilAsync($"it reads over {transport}", $"events.state.transport === '{transport}' && events.state.status === 'live'");

    public Task<bool> LeadsAsync() => Page.EvaluateAsync<bool>("() => events.state.leader");

    /// <summary>Waits until a JavaScript expression is true.</summary>
    /// <exception cref="TimeoutException">It did not become so; tells what was recorded.</exception>
    public async Task UntilAsync(string condition, string expression, int seconds = 30)
    {
        try
        {
            await Page.WaitForFunctionAsync(
                $"() => {expression}", null, new PageWaitForFunctionOptions { Timeout = seconds * 1_000, PollingInterval = 20 });
        }
        catch (TimeoutException exception)
        {
            var got = await RecordedAsync("got");
            throw new TimeoutException(
                $"'{condition}' did not hold within {seconds} s. {got.Length} things came, the last: {got.LastOrDefault()}\n"
                + $"States: {string.Join(", ", await RecordedAsync("states"))}\nErrors: {string.Join('\n', await RecordedAsync("errors"))}\n"
                + $"Script errors: {string.Join('\n', ScriptErrors)}",
                exception);
        }
    }

    private static string ReadRecorder()
    {
        using var stream = typeof(Tab).Assembly.GetManifestResourceStream("recorder.js")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

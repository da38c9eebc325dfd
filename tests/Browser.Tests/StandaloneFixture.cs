using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The quick start as people run it, in environment Production, and a Chromium to look at it.</summary>
public sealed class StandaloneFixture : IAsyncLifetime
{
    private const string ChromiumSetting = "PIPELINE_TEST_CHROMIUM";
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pipeline-browser-");
    private IPlaywright? _playwright;

    public HostProcess Host { get; private set; } = null!;

    public IBrowser Browser { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await StartHostAsync();
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = FindChromium(),
            Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        });
    }

    /// <summary>Starts the host, or another one on the same data.</summary>
    public async Task StartHostAsync() =>
        Host = await HostProcess.StartAsync("Standalone", new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["Persistence:ConnectionString"] = $"Data Source={Path.Combine(_folder.FullName, "pipeline.db")}",

            // Leaves time to reload and to go offline in mid-run on a busy machine.
            ["Worker:DemoPace"] = "2",
        });

    public async Task<string> TokenAsync(string user)
    {
        using var response = await Http.PostAsJsonAsync(new Uri(Host.Url, "/v1/dev/token"), new { user });
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    /// <summary>Every event of the thread: the truth that the page is held against.</summary>
    public async Task<IReadOnlyList<JsonElement>> EventsAsync(string user, string thread = "main")
    {
        var token = await TokenAsync(user);
        var events = new List<JsonElement>();
        var cursor = "0";
        string? resume = null;
        while (resume != "live")
        {
            using var request = new HttpRequestMessage(
                HttpMethod.Get, new Uri(Host.Url, $"/v1/threads/{thread}/events?after={cursor}"));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var response = await Http.SendAsync(request);
            response.EnsureSuccessStatusCode();
            var page = await response.Content.ReadFromJsonAsync<JsonElement>();
            events.AddRange(page.GetProperty("events").EnumerateArray().Select(e => e.Clone()));
            cursor = page.GetProperty("cursor").GetString()!;
            resume = page.GetProperty("resume").GetString();
        }

        return events;
    }

    public async ValueTask DisposeAsync()
    {
        if (Browser is not null)
        {
            await Browser.DisposeAsync();
        }

        _playwright?.Dispose();
        if (Host is not null)
        {
            await Host.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private static string FindChromium()
    {
        var path = Environment.GetEnvironmentVariable(ChromiumSetting) ?? "/usr/bin/chromium";
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException(
                $"There is no Chromium at {path}. Install the package (Debian: apt-get install chromium), or set "
                + $"{ChromiumSetting} to the executable.");
    }
}

using Microsoft.Playwright;
using Pipeline.Browser.Tests;

// Most of a test's time is waiting.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]
[assembly: AssemblyFixture(typeof(StandaloneFixture))]

namespace Pipeline.Browser.Tests;

/// <summary>A quick start and a Chromium to look at it, which all tests share; each test is a person of its own.</summary>
public sealed class StandaloneFixture : IAsyncLifetime
{
    private const string ChromiumSetting = "PIPELINE_TEST_CHROMIUM";
    private IPlaywright? _playwright;

    public Standalone Standalone { get; private set; } = null!;

    public IBrowser Browser { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Standalone = await Standalone.StartAsync();
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = FindChromium(),
            Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],

            // People's browsers have it.
            IgnoreDefaultArgs = ["--disable-back-forward-cache"],
        });
    }

    /// <summary>A browser of somebody, behind a network of its own to this service, or to the shared one.</summary>
    public async Task<Device> DeviceAsync(Standalone? service = null, BrowserNewContextOptions? options = null) =>
        new(await Browser.NewContextAsync(options), (service ?? Standalone).Host.Url);

    public async ValueTask DisposeAsync()
    {
        if (Browser is not null)
        {
            await Browser.DisposeAsync();
        }

        _playwright?.Dispose();
        if (Standalone is not null)
        {
            await Standalone.DisposeAsync();
        }
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

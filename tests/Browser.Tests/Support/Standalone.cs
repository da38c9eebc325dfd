using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>The quick start as people run it, in environment Production, on data of its own.</summary>
public sealed class Standalone : IAsyncDisposable
{
    private const string SigningKey = "browser-tests-only-0123456789abcdef";
    private readonly DirectoryInfo _folder;

    private Standalone(DirectoryInfo folder, HostProcess host) => (_folder, Host) = (folder, host);

    public HostProcess Host { get; }

    /// <param name="settings">Beyond those of every test.</param>
    public static async Task<Standalone> StartAsync(params (string Key, string Value)[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-browser-");
        var all = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["Persistence:ConnectionString"] = $"Data Source={Path.Combine(folder.FullName, "pipeline.db")}",
            ["Auth:SigningKey"] = SigningKey,

            // A token ends when it says so, and a dead connection is noticed in a test's time.
            ["Auth:ClockSkew"] = "00:00:00",
            ["Delivery:Heartbeat"] = "00:00:02",

            // Leaves time to reload and to go offline in mid-run on a busy machine.
            ["Worker:DemoPace"] = "2",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        return new Standalone(folder, await HostProcess.StartAsync("Standalone", all));
    }

    /// <summary>Somebody whom the service has never seen.</summary>
    public Person Person() => new(Host.Url, SigningKey);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

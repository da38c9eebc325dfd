using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>A server started from local binaries by <c>infra/servers.sh</c>, in a temporary folder that dies with this process.</summary>
internal sealed class LocalServer : IServerHost
{
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "servers.sh");

    private readonly string kind;
    private readonly string[] options;
    private readonly string folder;
    private readonly Process guard;

    private LocalServer(string kind, string[] options, string folder, Process guard)
    {
        this.kind = kind;
        this.options = options;
        this.folder = folder;
        this.guard = guard;
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
    }

    public string Host => Settings["HOST"];
    public int Port => int.Parse(Settings["PORT"], System.Globalization.CultureInfo.InvariantCulture);
    public string Username => Settings["USERNAME"];
    public string Password => Settings["PASSWORD"];

    private Dictionary<string, string> Settings { get; set; } = [];

    /// <summary>Starts a server.</summary>
    /// <param name="kind"><c>postgres</c> or <c>rabbitmq</c>.</param>
    /// <param name="options">Options of the script's <c>start</c>.</param>
    public static Task<LocalServer> StartNewAsync(string kind, params string[] options) =>
        StartNewAsync(Directory.CreateTempSubdirectory($"pipeline-{kind}-").FullName, kind, options);

    /// <inheritdoc cref="StartNewAsync(string, string[])"/>
    /// <param name="folder">Where it lives; deleted with it.</param>
    public static Task<LocalServer> StartNewAsync(string folder, string kind, string[] options) =>
        StartNewAsync(new LocalServer(kind, options, folder, StartGuard(folder)), server => server.StartAsync());

    /// <summary>Starts a standby of this PostgreSQL.</summary>
    public Task<LocalServer> StartStandbyAsync()
    {
        var standby = Directory.CreateTempSubdirectory($"pipeline-{kind}-").FullName;
        return StartNewAsync(
            new LocalServer(kind, options, standby, StartGuard(standby)), server => server.RunAsync("standby", standby, folder));
    }

    private static async Task<LocalServer> StartNewAsync(LocalServer server, Func<LocalServer, Task> start)
    {
        try
        {
            await start(server);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public Task StartAsync() => RunAsync(["start", kind, folder, .. options]);

    public Task CrashAsync() => Command.RunAsync("bash", [Script, "crash", folder]);

    public Task PauseAsync() => Command.RunAsync("bash", [Script, "signal", folder, "STOP"]);

    public Task ResumeAsync() => Command.RunAsync("bash", [Script, "signal", folder, "CONT"]);

    /// <summary>Runs a verb of the script that is PostgreSQL's alone: <c>save</c>, <c>restore</c>, <c>promote</c>.</summary>
    public Task DoAsync(string verb) => Command.RunAsync("bash", [Script, verb, folder]);

    private async Task RunAsync(params string[] arguments)
    {
        var printed = await Command.RunAsync("bash", [Script, .. arguments]);
        Settings = printed.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1]);
    }

    public Task<string> ControlAsync(IReadOnlyList<string> arguments) =>
        Command.RunAsync("bash", [Script, "control", folder, .. arguments]);

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
        guard.StandardInput.Close();
        await guard.WaitForExitAsync();
        guard.Dispose();
    }

    // The guard waits for the end of its input: it cleans up even when this process is killed. A session of its own keeps
    // it alive when the whole process group is.
    private static Process StartGuard(string folder) =>
        Process.Start(new ProcessStartInfo("setsid", ["bash", Script, "guard", folder]) { RedirectStandardInput = true })!;

    private void OnProcessExit(object? sender, EventArgs e)
    {
        guard.StandardInput.Close();
        guard.WaitForExit(TimeSpan.FromSeconds(20));
    }
}

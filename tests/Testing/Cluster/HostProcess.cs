using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Pipeline.Testing;

/// <summary>One of our hosts as a separate process, from its own build output.</summary>
public sealed class HostProcess : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly StringBuilder _output = new();
    private readonly Process _process;

    private HostProcess(string name, Uri url, Process process)
    {
        Name = name;
        Url = url;
        _process = process;
    }

    public string Name { get; }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>What it printed so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts <c>src/PROJECT</c> and waits until it is ready.</summary>
    public static async Task<HostProcess> StartAsync(
        string project, IReadOnlyDictionary<string, string> settings, params string[] arguments)
    {
        var url = new Uri($"http://127.0.0.1:{FreePort.Find()}");
        var start = new ProcessStartInfo("dotnet", [Assembly(project), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(Assembly(project)),
        };
        start.Environment["ASPNETCORE_URLS"] = url.ToString();
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["DOTNET_gcServer"] = "0";

        // Measuring code to compile it better pays in hosts that live for longer than a test.
        start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (key, value) in settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var host = new HostProcess(project, url, Process.Start(start)!);
        host.Collect();
        try
        {
            await Eventually.HoldsAsync($"{project} is ready", host.IsReadyAsync, TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException exception)
        {
            await host.DisposeAsync();
            throw new InvalidOperationException($"{project} did not start. It printed:\n{host.Output}", exception);
        }

        return host;
    }

    /// <summary>Runs a verb of a host to its end, for example <c>migrate</c>.</summary>
    public static async Task RunAsync(
        string project, IReadOnlyDictionary<string, string> settings, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Assembly(project), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(Assembly(project)),
        };
        foreach (var (key, value) in settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException(
                $"{project} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}{await error}");
        }
    }

    /// <summary>What <c>/status</c> says of a dependency: <c>ok</c> or <c>degraded</c>.</summary>
    public async Task<string?> DependencyAsync(string name)
    {
        using var status = JsonDocument.Parse(await Http.GetStringAsync(new Uri(Url, "/status")));
        return status.RootElement.GetProperty("dependencies").EnumerateArray()
            .Single(dependency => dependency.GetProperty("name").GetString() == name).GetProperty("status").GetString();
    }

    /// <summary>SIGKILL: no goodbye.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP, SIGCONT or SIGTERM.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits until a failpoint (or anything else) ended or the process died.</summary>
    public Task WaitForExitAsync(TimeSpan within) => _process.WaitForExitAsync().WaitAsync(within);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        // PIPELINE_TEST_LOGS: a folder for what the hosts printed.
        if (Environment.GetEnvironmentVariable("PIPELINE_TEST_LOGS") is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllTextAsync(Path.Combine(folder, $"{Name}-{_process.Id}.log"), Output);
        }

        _process.Dispose();
    }

    /// <summary>The host's assembly in the build output of the configuration that these tests were built in.</summary>
    internal static string Assembly(string project)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        var configuration = directory.Parent!.Name;
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Pipeline.sln")))
        {
            directory = directory.Parent;
        }

        var path = Path.Combine(
            directory?.FullName ?? ".", "src", project, "bin", configuration, "net10.0", $"Pipeline.{project}.dll");
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"{path} is missing; build src/{project} in {configuration} first");
    }

    private async Task<bool> IsReadyAsync()
    {
        if (_process.HasExited)
        {
            throw new InvalidOperationException($"it ended with {_process.ExitCode}");
        }

        using var response = await Http.GetAsync(new Uri(Url, "/health/ready"));
        return response.IsSuccessStatusCode;
    }

    private void Collect()
    {
        void Append(object sender, DataReceivedEventArgs line)
        {
            lock (_output)
            {
                _output.Append(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} ").AppendLine(line.Data);
            }
        }

        _process.OutputDataReceived += Append;
        _process.ErrorDataReceived += Append;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }
}

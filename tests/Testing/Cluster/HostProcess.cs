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
    private readonly ProcessStartInfo _start;
    private Process _process;
    private IReadOnlyList<string> _passing = [];
    private bool _isLeaving;

    private HostProcess(string name, Uri url, ProcessStartInfo start, HostLinks? links)
    {
        (Name, Url, Links, _start) = (name, url, links, start);
        _process = Begin();
    }

    public string Name { get; }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>The network around it; null for the machine's own.</summary>
    public HostLinks? Links { get; }

    /// <summary>Where its clients dial: through the network in front of it, if there is one.</summary>
    public Uri ClientUrl => Links?.Front?.Url ?? Url;

    public int ProcessId => _process.Id;

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
    public static Task<HostProcess> StartAsync(
        string project, IReadOnlyDictionary<string, string> settings, params string[] arguments) =>
        StartAsync(project, settings, links: null, arguments);

    /// <inheritdoc cref="StartAsync(string, IReadOnlyDictionary{string, string}, string[])"/>
    public static async Task<HostProcess> StartAsync(
        string project, IReadOnlyDictionary<string, string> settings, HostLinks? links, params string[] arguments)
    {
        var url = new Uri($"http://127.0.0.1:{FreePort.Find()}");
        links?.Front?.Retarget(url.Host, url.Port);
        var start = HostProgram.StartInfo(project, settings, arguments);
        start.Environment["ASPNETCORE_URLS"] = url.ToString();
        start.Environment["ASPNETCORE_ENVIRONMENT"] = settings.GetValueOrDefault("ASPNETCORE_ENVIRONMENT", "Development");
        var host = new HostProcess(project, url, start, links);
        try
        {
            await host.UntilReadyAsync();
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
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

    /// <summary>Starts it again after its end, at the same address and behind the same network, and waits until it is ready.</summary>
    /// <param name="settings">Beyond those it was started with at first, until it is started again.</param>
    public async Task StartAgainAsync(params (string Key, string Value)[] settings)
    {
        await BeginAgainAsync(settings);
        await UntilReadyAsync();
    }

    /// <summary>As <see cref="StartAgainAsync"/>, for a process that may die before it is ready.</summary>
    public async Task BeginAgainAsync(params (string Key, string Value)[] settings)
    {
        foreach (var variable in _passing)
        {
            _start.Environment.Remove(variable);
        }

        _passing = [.. settings.Select(setting => HostProgram.Variable(setting.Key))];
        foreach (var (key, value) in settings)
        {
            _start.Environment[HostProgram.Variable(key)] = value;
        }

        await _process.WaitForExitAsync();
        var gone = _process;
        _process = Begin();
        gone.Dispose();
        _isLeaving = false;
    }

    /// <summary>Undoes whatever was done to it: it runs, with its first settings, behind a sound network.</summary>
    public async Task MakeSoundAsync()
    {
        foreach (var (_, link) in Links?.All ?? [])
        {
            link.Heal();
        }

        if (!HasExited)
        {
            await SignalAsync("CONT");
        }

        if (_isLeaving)
        {
            await _process.WaitForExitAsync();
        }
        else if (_passing.Count > 0 && !HasExited)
        {
            await KillAsync();
        }

        if (HasExited)
        {
            await StartAgainAsync();
        }
    }

    /// <summary>SIGSTOP, SIGCONT or SIGTERM.</summary>
    public async Task SignalAsync(string signal)
    {
        _isLeaving |= signal == "TERM";
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
        if (Links is not null)
        {
            await Links.DisposeAsync();
        }
    }

    private async Task UntilReadyAsync()
    {
        try
        {
            await Eventually.HoldsAsync($"{Name} is ready", IsReadyAsync, TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException exception)
        {
            throw new InvalidOperationException($"{Name} did not start. It printed:\n{Output}", exception);
        }
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

    private Process Begin()
    {
        void Append(object sender, DataReceivedEventArgs line)
        {
            lock (_output)
            {
                _output.Append(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} ").AppendLine(line.Data);
            }
        }

        var process = Process.Start(_start)!;
        process.OutputDataReceived += Append;
        process.ErrorDataReceived += Append;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}

using System.Net.Sockets;
using DotNet.Testcontainers.Containers;

namespace Pipeline.Testing;

/// <summary>A server in a container; Testcontainers' reaper removes it when this process is gone.</summary>
internal sealed class ContainerServer(IContainer container) : IServerHost
{
    /// <summary>What a crash is for a container: <c>docker stop</c> sends this at once.</summary>
    public const string CrashSignal = "SIGKILL";

    /// <summary>Whether an engine listens: a client may be installed without one.</summary>
    public static bool EngineAnswers { get; } = Probe();

    public Task StartAsync() => container.StartAsync();

    public Task CrashAsync() => container.StopAsync();

    public Task PauseAsync() => container.PauseAsync();

    public Task ResumeAsync() => container.UnpauseAsync();

    public async Task<string> ControlAsync(IReadOnlyList<string> arguments)
    {
        var result = await container.ExecAsync(["rabbitmqctl", .. arguments]);
        return result.ExitCode == 0
            ? result.Stdout
            : throw new InvalidOperationException(
                $"'rabbitmqctl {string.Join(' ', arguments)}' ended with {result.ExitCode}: {result.Stderr}{result.Stdout}");
    }

    public ValueTask DisposeAsync() => container.DisposeAsync();

    private static bool Probe()
    {
        var host = Environment.GetEnvironmentVariable("DOCKER_HOST");
        if (!string.IsNullOrEmpty(host) && !host.StartsWith("unix://", StringComparison.Ordinal))
        {
            return true;
        }

        var path = string.IsNullOrEmpty(host) ? "/var/run/docker.sock" : host["unix://".Length..];
        if (OperatingSystem.IsWindows())
        {
            return true;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

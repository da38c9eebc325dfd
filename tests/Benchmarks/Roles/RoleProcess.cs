using System.Diagnostics;
using System.Text.Json;

namespace Pipeline.Benchmarks;

/// <summary>A role, seen from who asks it: this very program, started again. Requests and replies are lines of JSON.</summary>
internal sealed class RoleProcess : IAsyncDisposable
{
    private readonly Process _process;

    private RoleProcess(string name, Process process) => (Name, _process) = (name, process);

    public string Name { get; }

    public int ProcessId => _process.Id;

    public static RoleProcess Start<TRole>(IEnumerable<(string Key, string Value)> settings)
        where TRole : IRole<TRole>
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["role", TRole.Name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        return new RoleProcess(TRole.Name, Process.Start(start)!);
    }

    /// <exception cref="InvalidOperationException">It failed; says what it said.</exception>
    public async Task<TReply> AskAsync<TReply>(Request request)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(request));
        await _process.StandardInput.FlushAsync();
        var line = await _process.StandardOutput.ReadLineAsync()
            ?? throw new InvalidOperationException($"The process '{Name}' ended instead of answering {request}");
        return line.StartsWith('!') ? throw new InvalidOperationException($"'{Name}': {line[1..]}") : JsonSerializer.Deserialize<TReply>(line)!;
    }

    /// <summary>The other side: answers until the input ends.</summary>
    public static async Task ServeAsync<TRole>()
        where TRole : IRole<TRole>
    {
        await using var role = await TRole.StartAsync();
        while (await Console.In.ReadLineAsync() is { } line)
        {
            try
            {
                var reply = await role.HandleAsync(JsonSerializer.Deserialize<Request>(line)!);
                await Console.Out.WriteLineAsync(JsonSerializer.Serialize(reply));
            }
            catch (Exception exception)
            {
                await Console.Error.WriteLineAsync(exception.ToString());
                await Console.Out.WriteLineAsync($"!{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

using System.Diagnostics;
using System.Text.Json;

namespace Pipeline.Messaging.Tests;

/// <summary>tests/StockConsumer as a process of its own, and the lines it printed.</summary>
internal sealed class StockConsumerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<JsonElement> _lines = [];

    private StockConsumerProcess(Process process) => _process = process;

    public static StockConsumerProcess Start(IDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", [Assembly()]) { RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var consumer = new StockConsumerProcess(Process.Start(start)!);
        consumer._process.OutputDataReceived += (_, line) => consumer.Take(line.Data);
        consumer._process.BeginOutputReadLine();
        return consumer;
    }

    public IReadOnlyList<JsonElement> Lines(string type)
    {
        lock (_lines)
        {
            return [.. _lines.Where(line => line.GetProperty("type").GetString() == type)];
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is not null)
        {
            lock (_lines)
            {
                _lines.Add(JsonElement.Parse(line));
            }
        }
    }

    private static string Assembly()
    {
        // tests/Messaging.Tests/bin/CONFIGURATION/net10.0
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var tests = output.Parent!.Parent!.Parent!.Parent!;
        return Path.Combine(tests.FullName, "StockConsumer", "bin", output.Parent.Name, output.Name, "Pipeline.StockConsumer.dll");
    }
}

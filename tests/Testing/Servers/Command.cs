using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>A program run to its end.</summary>
internal static class Command
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);

    /// <summary>Runs it and returns its standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed; says what it printed.</exception>
    public static async Task<string> RunAsync(string file, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var bound = new CancellationTokenSource(Bound);
        var output = process.StandardOutput.ReadToEndAsync(bound.Token);
        var errors = process.StandardError.ReadToEndAsync(bound.Token);
        try
        {
            await process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'{file} {string.Join(' ', arguments)}' took more than {Bound}");
        }

        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException(
                $"'{file} {string.Join(' ', arguments)}' ended with {process.ExitCode}: {await errors}{await output}");
    }
}

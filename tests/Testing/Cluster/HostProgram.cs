using System.Diagnostics;

namespace Pipeline.Testing;

/// <summary>A host's program in the build output, and how it is told its settings.</summary>
public static class HostProgram
{
    /// <summary>Runs a verb of a host to its end, for example <c>migrate</c>.</summary>
    public static async Task RunAsync(
        string project, IReadOnlyDictionary<string, string> settings, params string[] arguments)
    {
        using var process = Process.Start(StartInfo(project, settings, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException(
                $"{project} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}{await error}");
        }
    }

    /// <summary>Its settings go by environment variables.</summary>
    internal static ProcessStartInfo StartInfo(string project, IReadOnlyDictionary<string, string> settings, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Assembly(project), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(Assembly(project)),
        };
        foreach (var (key, value) in settings)
        {
            start.Environment[Variable(key)] = value;
        }

        return start;
    }

    /// <summary>The environment variable of a setting.</summary>
    internal static string Variable(string key) => key.Replace(":", "__", StringComparison.Ordinal);

    /// <summary>The host's assembly in the build output of the configuration that these tests were built in.</summary>
    private static string Assembly(string project)
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        var path = Path.Combine(Repository.Root, "src", project, "bin", configuration, "net10.0", $"Pipeline.{project}.dll");
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"{path} is missing; build src/{project} in {configuration} first");
    }
}

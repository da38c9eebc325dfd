using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>Runs a host; a configuration that it cannot run with is listed, all of it, and ends it with code 1.</summary>
public static class HostRunner
{
    /// <param name="args">An admin command (<c>migrate</c>, <c>admin …</c>) is run instead of the host.</param>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunAsync(string[] args, Func<WebApplication> compose)
    {
        ArgumentNullException.ThrowIfNull(compose);
        try
        {
            await using var app = compose();
            if (await AdminCommands.RunAsync(args, app.Services) is { } code)
            {
                return code;
            }

            var errors = app.Services.GetRequiredService<SettingsCheck>().Errors();
            if (errors.Count > 0)
            {
                return await RefuseAsync(errors);
            }

            await app.RunAsync();

            // A service that stopped the host (an incompatible schema) said so there.
            return Environment.ExitCode;
        }
        catch (OptionsValidationException exception)
        {
            return await RefuseAsync(exception.Failures);
        }
    }

    private static async Task<int> RefuseAsync(IEnumerable<string> errors)
    {
        await Console.Error.WriteLineAsync("This configuration cannot run:");
        foreach (var error in errors)
        {
            await Console.Error.WriteLineAsync($"  - {error}");
        }

        return 1;
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
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

            Validate(app);
            await app.RunAsync();
            return 0;
        }
        catch (Exception exception) when (ConfigurationErrors(exception) is { Count: > 0 } errors)
        {
            await Console.Error.WriteLineAsync("This configuration cannot run:");
            foreach (var error in errors)
            {
                await Console.Error.WriteLineAsync($"  - {error}");
            }

            return 1;
        }
    }

    // The host itself would construct its services first, and the first of them that reads a wrong setting would hide all
    // others.
    private static void Validate(WebApplication app)
    {
        try
        {
            app.Services.GetService<IStartupValidator>()?.Validate();
        }
        catch (InvalidOperationException exception)
        {
            // The binder's: a value is no number, no time span. It names setting and value.
            throw new OptionsValidationException("", typeof(IConfiguration), [exception.Message]);
        }
    }

    private static List<string> ConfigurationErrors(Exception exception) => exception switch
    {
        OptionsValidationException options => [.. options.Failures],
        AggregateException many => [.. many.InnerExceptions.SelectMany(ConfigurationErrors)],
        _ => [],
    };
}

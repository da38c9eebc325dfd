using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The hosts' command line: <c>migrate</c>, <c>admin new-epoch</c>, <c>admin erase TENANT USER</c>.</summary>
public static class AdminCommands
{
    private const string Usage = """
        usage: migrate                     create or update the schema
               admin new-epoch             after a restore or failover that may have lost commits: every client starts over
               admin erase TENANT USER     delete everything of a user
        """;

    /// <summary>Runs what the arguments ask for.</summary>
    /// <returns>The exit code; null when they are no admin command and the host shall start.</returns>
    public static async Task<int?> RunAsync(string[] args, IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(services);
        if (args is not ["migrate" or "admin", ..])
        {
            return null;
        }

        var admin = services.GetRequiredService<LogAdmin>();
        try
        {
            switch (args)
            {
                case ["migrate"]:
                    var applied = await admin.MigrateAsync(CancellationToken.None);
                    Console.WriteLine(applied.Count == 0 ? "The schema is up to date." : $"Applied {string.Join(", ", applied)}.");
                    return 0;
                case ["admin", "new-epoch"]:
                    Console.WriteLine($"The generation is now {await admin.BeginEpochAsync(CancellationToken.None)}.");
                    return 0;
                case ["admin", "erase", var tenant, var user]:
                    var erased = await admin.EraseAsync(StreamKey.Of(tenant, user), CancellationToken.None);
                    Console.WriteLine($"Erased {erased} events of user '{user}' of tenant '{tenant}'.");
                    return 0;
                default:
                    await Console.Error.WriteLineAsync(Usage);
                    return 2;
            }
        }
        catch (Exception problem)
        {
            await Console.Error.WriteLineAsync($"{string.Join(' ', args)} failed: {Describe(problem)}");
            return 1;
        }
    }

    /// <summary>With its causes: "Failed to connect" alone does not tell why.</summary>
    private static string Describe(Exception problem) => problem.InnerException is { } cause && cause.Message != problem.Message
        ? $"{problem.Message} ({Describe(cause)})"
        : problem.Message;
}

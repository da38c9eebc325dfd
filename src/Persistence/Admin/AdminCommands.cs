using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The hosts' command line: <c>migrate</c>, <c>admin …</c>.</summary>
public static class AdminCommands
{
    private const int MostClients = 50;

    private const string Usage = """
        usage: migrate                     create or update the schema
               admin new-epoch             after a restore or failover that may have lost commits: every client starts over
               admin erase TENANT USER     delete everything of a user
               admin undelivered [TENANT USER]
                                           what clients have not acked: of one user, or the most of all users
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
                case ["admin", "undelivered"]:
                    await PrintUndeliveredAsync(services, null);
                    return 0;
                case ["admin", "undelivered", var tenant, var user]:
                    await PrintUndeliveredAsync(services, StreamKey.Of(tenant, user));
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

    private static async Task PrintUndeliveredAsync(IServiceProvider services, StreamKey? stream)
    {
        var acks = services.GetRequiredService<AckStore>();
        var clients = await acks.ReadUndeliveredAsync(stream, MostClients, CancellationToken.None);
        Console.WriteLine(stream is null ? "UNDELIVERED\tHEAD\tACK\tAGE\tTENANT\tUSER\tCLIENT" : "UNDELIVERED\tHEAD\tACK\tAGE\tCLIENT");
        foreach (var client in clients)
        {
            var (tenant, user) = client.Stream.Split();
            var whose = stream is null ? $"{tenant}\t{user}\t" : "";
            var acked = client.IsCurrent ? $"{client.Acked}" : "none of this epoch";
            Console.WriteLine($"{client.Events}\t{client.Head}\t{acked}\t{client.Age:d\\.hh\\:mm\\:ss}\t{whose}{client.Client}");
        }
    }

    /// <summary>With its causes: "Failed to connect" alone does not tell why.</summary>
    private static string Describe(Exception problem) => problem.InnerException is { } cause && cause.Message != problem.Message
        ? $"{problem.Message} ({Describe(cause)})"
        : problem.Message;
}

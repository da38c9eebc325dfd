using Microsoft.Extensions.Logging;

namespace Pipeline.Benchmarks;

/// <summary>How a role logs.</summary>
internal static class RoleLogging
{
    /// <summary>Warnings and worse, to standard error: standard output is for replies.</summary>
    public static ILoggingBuilder KeepOffReplies(this ILoggingBuilder logging) => logging
        .ClearProviders()
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .SetMinimumLevel(LogLevel.Warning);
}

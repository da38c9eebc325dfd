namespace Pipeline.Standalone;

/// <summary>Tells the person at the console where to go, once there is something to see.</summary>
internal static partial class Announcement
{
    public static void AnnounceWhenStarted(this WebApplication app) =>
        app.Lifetime.ApplicationStarted.Register(() =>
            LogReady(app.Logger, string.Join(", ", app.Urls), LocalDefaults.DataOf(app.Configuration)));

    [LoggerMessage(5000, LogLevel.Information, "Open {Urls} in a browser. Data is kept in {Data}. Ctrl+C stops.")]
    private static partial void LogReady(ILogger logger, string urls, string data);
}

using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>How events reach connections: the rest of section <c>Delivery</c>.</summary>
public sealed class FeedOptions
{
    public const string Section = DeliveryOptions.Section;

    /// <summary>
    /// Time between heartbeats on a connection, 1 to 60 s; proxies cut silence at 60 s. A WebSocket client that answers no
    /// ping for two of them is dropped. Default 15 s.
    /// </summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the <c>ready</c> frame waits for the stream's head while the log is not known to be away, 0 to 5 s. Default 0.2 s.</summary>
    public TimeSpan ReadyWait { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Most events in one stream's tail, 10 to 100,000; older ones are read from the log. Default 1,000.</summary>
    public int FeedEvents { get; set; } = 1_000;

    /// <summary>Most bytes of bodies in one stream's tail, 16 KB to 64 MB. Default 512 KB.</summary>
    public long FeedBytes { get; set; } = 512 * 1024;

    /// <summary>Most bytes of bodies in all tails of the node, 1 MB to 64 GB; who has events to keep gets them. Default 256 MB.</summary>
    public long NodeBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>
    /// Most bytes of stored events in one frame, one event at least; their cursors come on top.
    /// 4 KB to 4 MB. Default 128 KB.
    /// </summary>
    public int FrameBytes { get; set; } = 128 * 1024;

    /// <summary>A connection that does not take in 16 KB in so long is dropped, 1 to 60 s. Default 10 s.</summary>
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Most connections (WebSocket, SSE, JSON answers under way) of the node, 1 to 1,000,000. Default 20,000.</summary>
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>Most connections of one user, of whatever kind, 1 to 1,000,000. Default 200.</summary>
    public int MaxConnectionsPerUser { get; set; } = 200;

    /// <summary>What SSE clients are told to wait before they reconnect, give or take a quarter, 0.1 to 60 s. Default 2 s.</summary>
    public TimeSpan Retry { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Most reads of the log at a time on behalf of connections, and most connections for which up to 512 KB are read ahead of what is sent, 1 to 64. Default 8.</summary>
    public int ReplayReaders { get; set; } = 8;

    /// <summary>Bound on one read of the log, 0.1 to 30 s; beyond it the log counts as away. Default 3 s.</summary>
    public TimeSpan LogTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>A stopping node closes its connections spread over this time, which begins when <see cref="DeliveryOptions.DrainDelay"/> is over, 0 to 25 s. Default 5 s.</summary>
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(5);
}

internal sealed class FeedOptionsValidator : IValidateOptions<FeedOptions>
{
    public ValidateOptionsResult Validate(string? name, FeedOptions options)
    {
        List<string?> errors =
        [
            Time(nameof(options.Heartbeat), options.Heartbeat, 1, 60),
            Time(nameof(options.ReadyWait), options.ReadyWait, 0, 5),
            Number(nameof(options.FeedEvents), options.FeedEvents, 10, 100_000),
            Number(nameof(options.FeedBytes), options.FeedBytes, 16 << 10, 64 << 20),
            Number(nameof(options.NodeBytes), options.NodeBytes, 1 << 20, 64L << 30),
            Number(nameof(options.FrameBytes), options.FrameBytes, 4 << 10, 4 << 20),
            Time(nameof(options.WriteTimeout), options.WriteTimeout, 1, 60),
            Number(nameof(options.MaxConnections), options.MaxConnections, 1, 1_000_000),
            Number(nameof(options.MaxConnectionsPerUser), options.MaxConnectionsPerUser, 1, 1_000_000),
            Time(nameof(options.Retry), options.Retry, 0.1, 60),
            Number(nameof(options.ReplayReaders), options.ReplayReaders, 1, 64),
            Time(nameof(options.LogTimeout), options.LogTimeout, 0.1, 30),
            Time(nameof(options.DrainTime), options.DrainTime, 0, 25),
        ];
        var found = errors.OfType<string>().ToList();
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    private static string? Time(string setting, TimeSpan value, double least, double most) =>
        value.TotalSeconds >= least && value.TotalSeconds <= most
            ? null
            : $"Delivery:{setting} is {value}; give {TimeSpan.FromSeconds(least):c} to {TimeSpan.FromSeconds(most):c}";

    private static string? Number(string setting, long value, long least, long most) =>
        value >= least && value <= most ? null : $"Delivery:{setting} is {value}; give {least} to {most}";
}

namespace Pipeline.Messaging;

/// <summary>Section <c>Bus</c> of the configuration.</summary>
public sealed class BusOptions
{
    public const string Section = "Bus";

    internal const string RabbitMq = "rabbitmq";
    internal const string Memory = "memory";
    internal const string TypedNone = "none";
    internal const string TypedLifecycle = "lifecycle";
    internal const string TypedAll = "all";

    /// <summary><c>rabbitmq</c> (default) or <c>memory</c> (one process, the quick start).</summary>
    public string Transport { get; set; } = "rabbitmq";

    public string Host { get; set; } = "localhost";
    public int Port { get; set; } = 5672;
    public string VirtualHost { get; set; } = "/";
    public string Username { get; set; } = "guest";
    public string Password { get; set; } = "guest";

    /// <summary>TLS 1.2 or 1.3 with a checked certificate. Default false.</summary>
    public bool UseTls { get; set; }

    /// <summary>Which events are also published as typed messages: <c>none</c>, <c>lifecycle</c> (default), <c>all</c>.</summary>
    public string TypedEvents { get; set; } = "lifecycle";

    /// <summary>Bound on one publish with its confirm, 1 to 60 s. Default 10 s.</summary>
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Most pages published and not yet confirmed, 1 to 64. Default 8.</summary>
    public int PublishWindow { get; set; } = 8;

    /// <summary>Most bytes of event bodies in one page, 16 KB to 1 MB; a larger event travels as its position. Default 262,144.</summary>
    public int PageBytes { get; set; } = 256 * 1024;

    /// <summary>Time between looks into the outbox for rows nobody holds, 50 ms to 10 s. Default 250 ms.</summary>
    public TimeSpan Sweep { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Most bytes a node's queue keeps; beyond, the oldest pages are dropped and read from the log. 1 MB to 1 TB. Default 64 MB.</summary>
    public long NodeQueueBytes { get; set; } = 64L * 1024 * 1024;
}

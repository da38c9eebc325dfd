namespace Pipeline.Persistence;

/// <summary>Section <c>Persistence</c> of the configuration.</summary>
public sealed class PersistenceOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Persistence";

    /// <summary><c>postgres</c> (default) or <c>sqlite</c>.</summary>
    public string Provider { get; set; } = "postgres";

    internal bool IsSqlite => Provider == "sqlite";

    /// <summary>The provider's connection string. No default; required.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>Bound on any one statement, 1 to 300 s. Default 10 s.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Bound on waiting for a stream's head lock, in the database or in the process, 0.1 to 60 s and less than CommandTimeout. Default 5 s.</summary>
    public TimeSpan LockTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Most UTF-8 bytes of one event's JSON, 1 KB to 4 MB. Default 262,144.</summary>
    public int MaxEventBytes { get; set; } = Contracts.Limits.DefaultEventBytes;

    /// <summary>
    /// Length of a process's lease, 1 to 60 s; it beats four times in that. Outbox rows of a process whose lease expired
    /// are published by others. Default 4 s.
    /// </summary>
    public TimeSpan ProcessLease { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>Most bytes of event bodies kept in memory between commit and the broker's confirm. Default 64 MB.</summary>
    public long HandoverBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>
    /// Events older than this are removed from the oldest end of each stream, and a run with its last event. At least one
    /// minute; null (default) keeps all.
    /// </summary>
    public TimeSpan? Retention { get; set; }

    /// <summary>Whether a host creates or updates the schema when it starts. Default false: run <c>migrate</c>.</summary>
    public bool MigrateAtStart { get; set; }
}

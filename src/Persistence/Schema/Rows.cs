namespace Pipeline.Persistence;

/// <summary>Table <c>log_generation</c>: one row that names the history of the whole database.</summary>
public sealed class LogGenerationRow
{
    /// <summary>Always 1.</summary>
    public int Id { get; set; }

    /// <summary>Rises when commits may have been lost; begins with the creation time in Unix milliseconds.</summary>
    public long Generation { get; set; }

    /// <summary>PostgreSQL's system identifier when the generation was last set; empty until the first append.</summary>
    public string SystemId { get; set; } = "";

    /// <summary>PostgreSQL's timeline, eight hex digits, when the generation was last set; empty until the first append.</summary>
    public string Timeline { get; set; } = "";
}

/// <summary>Table <c>stream_head</c>: its row lock orders every append to the stream.</summary>
public sealed class StreamHeadRow
{
    public required string Stream { get; set; }

    /// <summary>Rises with every erasure, from 1.</summary>
    public long Incarnation { get; set; } = 1;

    /// <summary>Position of the newest event; 0 for none.</summary>
    public long Head { get; set; }

    /// <summary>Retention removed everything up to here; 0 for nothing.</summary>
    public long Trimmed { get; set; }
}

/// <summary>Table <c>event_log</c>: the truth.</summary>
public sealed class EventRow
{
    public required string Stream { get; set; }
    public long Position { get; set; }
    public Guid EventId { get; set; }
    public required string Type { get; set; }
    public required string Thread { get; set; }
    public required string Run { get; set; }
    public long Sequence { get; set; }

    /// <summary>By the producer's clock.</summary>
    public DateTime OccurredAt { get; set; }

    /// <summary>By the database's clock, under the head lock.</summary>
    public DateTime StoredAt { get; set; }

    /// <summary>Hash of what the producer sent, to tell a retry from a conflict.</summary>
    public required byte[] Hash { get; set; }

    /// <summary>The event's JSON as the browser gets it, without its cursor.</summary>
    public required string Body { get; set; }
}

/// <summary>Table <c>outbox</c>: what a transaction still owes to the bus; deleted after the broker confirmed.</summary>
public sealed class OutboxRow
{
    public long Id { get; set; }

    /// <summary>The process that holds it in memory; null for none, then any relay takes it.</summary>
    public Guid? Owner { get; set; }

    public OutboxKind Kind { get; set; }

    /// <summary>
    /// Events: JSON array of <c>{"stream","first","last"}</c>, pointers into the log. Command: <c>{"type","message"}</c>.
    /// </summary>
    public required string Payload { get; set; }

    public DateTime CreatedAt { get; set; }
}

/// <summary>What an outbox row points at.</summary>
public enum OutboxKind
{
    Events = 0,
    Command = 1,
}

/// <summary>Table <c>process</c>: the lease of every process that owns outbox rows.</summary>
public sealed class ProcessRow
{
    public Guid Id { get; set; }

    /// <summary>Rises with every beat. Expired = seen unchanged for the lease's length by the observer's own clock.</summary>
    public long Counter { get; set; }

    /// <summary>The lease's length.</summary>
    public int LeaseMilliseconds { get; set; }

    public required string Host { get; set; }
    public required string Role { get; set; }

    /// <summary>Whether it has a relay, which can fall silent.</summary>
    public bool HasRelay { get; set; }

    /// <summary>Names of the agents it can execute; null for a process that executes none.</summary>
    public string[]? Agents { get; set; }

    public DateTime StartedAt { get; set; }
}

/// <summary>Table <c>agent_run</c>: the truth about a run; changed under the stream's head lock.</summary>
public sealed class AgentRunRow
{
    public required string Stream { get; set; }
    public required string Run { get; set; }
    public required string Thread { get; set; }

    /// <summary>Empty for a run that nobody requested from a worker.</summary>
    public string Agent { get; set; } = "";

    public RunStatus Status { get; set; }

    /// <summary>Rises with every claim; 0 while no worker has claimed the run.</summary>
    public int Attempt { get; set; }

    /// <summary>Rises with every renewal; see <see cref="ProcessRow.Counter"/>.</summary>
    public long LeaseCounter { get; set; }

    /// <summary>The lease's length; null for a run that never expires.</summary>
    public int? LeaseSeconds { get; set; }

    /// <summary>The process that executes it; null for none.</summary>
    public Guid? Worker { get; set; }

    /// <summary>Whether its agent can resume, as the worker that claimed it last declared.</summary>
    public bool CanResume { get; set; }

    /// <summary>Position of its first event; 0 for a run from before this was noted.</summary>
    public long FirstPosition { get; set; }

    public long LastSequence { get; set; }
    public bool CancelRequested { get; set; }

    /// <summary>What the person asked; empty for a run that nobody requested from a worker.</summary>
    public string Input { get; set; } = "";

    public DateTime RequestedAt { get; set; }
    public DateTime? StartedAt { get; set; }
    public DateTime? EndedAt { get; set; }
}

/// <summary>A run's status; the wire names are lower case.</summary>
public enum RunStatus
{
    Queued = 0,
    Running = 1,
    Completed = 2,
    Failed = 3,
    Cancelled = 4,
}

/// <summary>Table <c>client_ack</c>: how far a client has processed; never drives retention.</summary>
public sealed class ClientAckRow
{
    public required string Stream { get; set; }
    public required string Client { get; set; }
    public required string Epoch { get; set; }
    public long Position { get; set; }
    public DateTime UpdatedAt { get; set; }
}

/// <summary>Table <c>idempotency</c>: answers to requests that may be repeated.</summary>
public sealed class IdempotencyRow
{
    public required string Stream { get; set; }
    public required string Key { get; set; }
    public required byte[] BodyHash { get; set; }
    public required string Result { get; set; }
    public DateTime ExpiresAt { get; set; }
}

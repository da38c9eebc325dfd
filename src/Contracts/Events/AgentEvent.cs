namespace Pipeline.Contracts;

/// <summary>
/// One durable fact about an agent's run, owned by one user. The derived records add what the type's <c>data</c> holds
/// (PROTOCOL.md, "Event types"); the properties here are the envelope.
/// </summary>
public abstract record AgentEvent
{
    /// <summary>Identity chosen by the producer. Appending the same id with the same content again is a no-op.</summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>Tenant of the user that owns the event; 1–128 bytes of UTF-8 without control characters.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>User that owns the event and alone will see it; 1–128 bytes of UTF-8 without control characters.</summary>
    public string User { get; init; } = "";

    /// <summary>Conversation the run belongs to; 1–128 bytes of UTF-8 without control characters.</summary>
    public string Thread { get; init; } = "";

    /// <summary>Run that produced the event; 1–128 bytes of UTF-8 without control characters.</summary>
    public string Run { get; init; } = "";

    /// <summary>Place in the run, from 1. Zero on append: the log gives the run's next number.</summary>
    public long Sequence { get; init; }

    /// <summary>
    /// Fencing token of the run's executor: the attempt it claimed, or zero for a run that no pipeline worker executes.
    /// An append with another attempt than the run's is refused.
    /// </summary>
    public int Attempt { get; init; }

    /// <summary>When it happened, by the producer's clock. Null on append: the appending process fills it in.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Position in the user's stream, from 1. Zero until the event is committed; set on the bus.</summary>
    public long Position { get; init; }

    /// <summary>The wire name of the type, for example <c>tool_completed</c>; 1–128 bytes.</summary>
    public abstract string Type { get; }
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>An event that was checked and encoded, ready for the log. Made by <see cref="EventEncoder"/>, and by <see cref="CanaryStream"/> for its own stream.</summary>
public sealed class NewEvent
{
    internal NewEvent() { }

    public required StreamKey Stream { get; init; }
    public required Guid Id { get; init; }
    public required string Type { get; init; }
    public required string Thread { get; init; }
    public required string Run { get; init; }

    /// <summary>Place in the run, from 1; 0: the log gives the next one and splices it into the body.</summary>
    public required long Sequence { get; init; }

    /// <summary>Fencing token: must equal the run's attempt. 0: the run is not claimed by a worker.</summary>
    public required int Attempt { get; init; }

    public required DateTimeOffset OccurredAt { get; init; }

    /// <summary>Lease in seconds that a run opened by this event asks for (<c>agent_started</c> with attempt 0), or null.</summary>
    public required int? LeaseSeconds { get; init; }

    /// <summary>Hash of what the producer sent; what the pipeline filled in does not count.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>The event's JSON as UTF-8 without its cursor, and without its sequence where that is 0.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    public bool IsTerminal => EventTypes.IsTerminal(Type);
}

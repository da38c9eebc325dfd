using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>What is committed for a user: the truth that every reader is held against.</summary>
/// <param name="Epoch">Of the cursors that lead into it; null for an unknown one, which is not checked.</param>
/// <param name="Trimmed">Events up to this position were removed by retention; 0 for none.</param>
/// <param name="Events">In the order of their positions.</param>
public sealed record CommittedLog(string? Epoch, long Trimmed, IReadOnlyList<CommittedEvent> Events)
{
    public long Head => Events.Count == 0 ? Trimmed : Events[^1].Position;
}

/// <summary>One event as it is stored.</summary>
/// <param name="Body">The event's JSON without its cursor.</param>
/// <param name="StoredAt">By the database's clock, shortly before the commit.</param>
public sealed record CommittedEvent(long Position, string Body, DateTimeOffset StoredAt)
{
    private readonly Lazy<Envelope> _envelope = new(() => JsonSerializer.Deserialize<Envelope>(Body, JsonSerializerOptions.Web)!);

    public Guid Id => _envelope.Value.Id;

    public string Type => _envelope.Value.Type;

    public string Thread => _envelope.Value.Thread;

    public string Run => _envelope.Value.Run;

    public int Sequence => _envelope.Value.Sequence;

    public bool IsTerminal => EventTypes.IsTerminal(Type);

    private sealed record Envelope(Guid Id, string Type, string Thread, string Run, int Sequence);
}

using System.Text.Json;

namespace Pipeline.Contracts;

/// <summary>
/// What one relay handed to the bus at once: newly committed events of many streams (PROTOCOL.md, "Pages"). A page may be
/// lost, doubled, late or reordered; positions tell. With no streams it is a beacon.
/// </summary>
public sealed record AgentEventPage
{
    /// <summary>The relay that numbers these pages: one process's life.</summary>
    public required Guid Relay { get; init; }

    /// <summary>The relay's number of this page, from 1, rising by one; a beacon repeats the last one or, while events are late, skips one.</summary>
    public required long Number { get; init; }

    /// <summary>True in the relay's last page: it stops by its own will and its silence means nothing.</summary>
    public bool Goodbye { get; init; }

    /// <summary>The database's generation. Lower than known: stale, drop; higher: re-read the heads.</summary>
    public required long Generation { get; init; }

    /// <summary>Index of the page, one entry a stream, in the order of <see cref="Events"/>.</summary>
    public required IReadOnlyList<AgentEventPageStream> Streams { get; init; }

    /// <summary>The events' JSON without their cursors, stream by stream as <see cref="Streams"/> counts them.</summary>
    public required IReadOnlyList<JsonElement> Events { get; init; }
}

/// <summary>One stream's part of an <see cref="AgentEventPage"/>.</summary>
public sealed record AgentEventPageStream
{
    /// <summary>The stream's key: tenant and user, see <see cref="StreamKey"/>.</summary>
    public required string Stream { get; init; }

    /// <summary>The stream's incarnation. Lower than known: stale, drop; higher: re-read the head.</summary>
    public required long Incarnation { get; init; }

    /// <summary>Position of the first event here; the others follow without a gap.</summary>
    public required long First { get; init; }

    /// <summary>
    /// UTF-8 length in bytes of each event, in the order of positions: an index, so that a reader can slice bodies it
    /// wants and skip the others unparsed. Empty when the event was too large for the bus: it is at <see cref="First"/>,
    /// read it from the log.
    /// </summary>
    public required IReadOnlyList<int> Lengths { get; init; }
}

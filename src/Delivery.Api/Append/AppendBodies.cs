using System.Text.Json;

namespace Pipeline.Delivery.Api;

// The shapes of POST /v1/events as the OpenAPI document shows them. Requests are read by AppendRequest, strictly.

/// <param name="User">Owner of the events, within the token's tenant.</param>
/// <param name="Events">1 to 1,000.</param>
public sealed record AppendBody(string User, IReadOnlyList<AppendItem> Events);

/// <param name="Id">Chosen by the producer and kept when the request is repeated.</param>
/// <param name="Type">A known type, or one of the agent's own.</param>
/// <param name="Sequence">Place in the run, from 1.</param>
/// <param name="Time">ISO 8601 with an offset; null: the time of arrival.</param>
/// <param name="Data">What the type holds.</param>
public sealed record AppendItem(
    Guid Id, string Type, string Thread, string Run, long Sequence, DateTimeOffset? Time, JsonElement Data);

/// <param name="Events">In the order of the request.</param>
public sealed record AppendedBody(IReadOnlyList<AppendedItem> Events);

/// <param name="Cursor">Where the event stands in the user's stream.</param>
public sealed record AppendedItem(Guid Id, string Cursor);

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Pipeline.Delivery.Api;

/// <summary>What the JSON transport says beside the events (PROTOCOL.md, "JSON").</summary>
internal sealed record EventsPage
{
    /// <summary>What an answer begins with; the events follow, separated by commas.</summary>
    public static ReadOnlySpan<byte> Start => "{\"events\":["u8;

    public required string? After { get; init; }

    public required string? Cursor { get; init; }

    public required string? Head { get; init; }

    public required string Resume { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    public required IReadOnlyList<string> Degraded { get; init; }

    /// <summary>Answers with <see cref="Start"/> and the events, which were written already.</summary>
    public async Task WriteAsync(HttpResponse response, PooledBuffer events, WriteBound bound, CancellationToken cancellationToken)
    {
        response.ContentType = "application/json; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        events.Write("],"u8);

        // The rest comes as an object of its own: its opening brace is the one written first.
        events.Write(JsonSerializer.SerializeToUtf8Bytes(this, EventsPageJsonContext.Default.EventsPage).AsSpan(1));
        await bound.WriteAsync(response.BodyWriter, events.Written, cancellationToken);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EventsPage))]
internal sealed partial class EventsPageJsonContext : JsonSerializerContext;

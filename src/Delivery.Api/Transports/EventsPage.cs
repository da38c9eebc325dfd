using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Pipeline.Delivery.Api;

/// <summary>What the JSON transport says beside the events (PROTOCOL.md, "JSON").</summary>
internal sealed record EventsPage
{
    public required string? After { get; init; }

    public required string? Cursor { get; init; }

    public required string? Head { get; init; }

    public required string Resume { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    public required IReadOnlyList<string> Degraded { get; init; }

    /// <summary>Answers with events that were written already, separated by commas.</summary>
    public async Task WriteAsync(HttpResponse response, ReadOnlyMemory<byte> events, CancellationToken cancellationToken)
    {
        response.ContentType = "application/json; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        var output = response.BodyWriter;
        output.Write("{\"events\":["u8);
        output.Write(events.Span);
        output.Write("],"u8);

        // The rest comes as an object of its own: its opening brace is the one written above.
        output.Write(JsonSerializer.SerializeToUtf8Bytes(this, EventsPageJsonContext.Default.EventsPage).AsSpan(1));
        await output.FlushAsync(cancellationToken);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EventsPage))]
internal sealed partial class EventsPageJsonContext : JsonSerializerContext;

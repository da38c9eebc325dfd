using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Pipeline.Contracts;

/// <summary>
/// JSON of the contracts: camel case, nulls left out. <see cref="Data"/> writes only what a type adds to the envelope
/// (the wire's <c>data</c> object); <see cref="Full"/> writes and reads flat records as typed bus messages carry them.
/// </summary>
public static class AgentEventJson
{
    private static readonly HashSet<string> Envelope = new(StringComparer.Ordinal)
    {
        "id", "tenant", "user", "thread", "run", "sequence", "attempt", "time", "position", "type",
    };

    // It is JSON for JSON readers, never part of a page: escaping all but ASCII would double or triple most texts.
    private static JavaScriptEncoder Encoder => JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>Reads and writes whole records.</summary>
    public static JsonSerializerOptions Full { get; } = new(AgentEventJsonContext.Default.Options) { Encoder = Encoder };

    /// <summary>Writes the <c>data</c> object alone. Not for reading.</summary>
    public static JsonSerializerOptions Data { get; } = new(AgentEventJsonContext.Default.Options)
    {
        Encoder = Encoder,
        TypeInfoResolver = AgentEventJsonContext.Default.WithAddedModifier(KeepDataOnly),
    };

    /// <summary>The UTF-8 of the event's <c>data</c> object.</summary>
    public static byte[] SerializeData(AgentEvent @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return @event is CustomAgentEvent custom
            ? JsonSerializer.SerializeToUtf8Bytes(custom.Data, Data.GetTypeInfo(typeof(JsonElement)))
            : JsonSerializer.SerializeToUtf8Bytes(@event, Data.GetTypeInfo(@event.GetType()));
    }

    /// <summary>
    /// The typed record of an event's envelope and <c>data</c>. The envelope wins where data repeats its names, so data
    /// cannot pretend to be another user's. Null for a type the pipeline does not know.
    /// </summary>
    /// <exception cref="JsonException"><paramref name="data"/> does not have the shape of the type's contract.</exception>
    public static AgentEvent? Materialize(EventEnvelope envelope, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(envelope);
        if (EventTypes.RecordOf(envelope.Type) is not { } record)
        {
            return null;
        }

        var buffer = new ArrayBufferWriter<byte>(data.Length + 64);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            CopyWithoutEnvelope(data, writer);
        }

        var typed = (AgentEvent)(JsonSerializer.Deserialize(buffer.WrittenSpan, Full.GetTypeInfo(record))
            ?? throw new JsonException("data is null, an object is needed"));
        return typed with
        {
            Id = envelope.Id,
            Tenant = envelope.Tenant,
            User = envelope.User,
            Thread = envelope.Thread,
            Run = envelope.Run,
            Sequence = envelope.Sequence,
            Time = envelope.Time,
            Position = envelope.Position,
        };
    }

    private static void CopyWithoutEnvelope(ReadOnlySpan<byte> data, Utf8JsonWriter writer)
    {
        var reader = new Utf8JsonReader(data);
        using var document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException($"data is a JSON {document.RootElement.ValueKind}, an object is needed");
        }

        writer.WriteStartObject();
        foreach (var property in document.RootElement.EnumerateObject().Where(p => !Envelope.Contains(p.Name)))
        {
            property.WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    private static void KeepDataOnly(JsonTypeInfo info)
    {
        if (!info.Type.IsAssignableTo(typeof(AgentEvent)))
        {
            return;
        }

        foreach (var property in info.Properties.Where(p => Envelope.Contains(p.Name)))
        {
            property.ShouldSerialize = static (_, _) => false;
        }
    }
}

/// <summary>An event's envelope, when its data is at hand as JSON only.</summary>
public sealed record EventEnvelope
{
    public required Guid Id { get; init; }
    public required string Type { get; init; }
    public required string Tenant { get; init; }
    public required string User { get; init; }
    public required string Thread { get; init; }
    public required string Run { get; init; }
    public required long Sequence { get; init; }
    public required DateTimeOffset? Time { get; init; }
    public required long Position { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(RunRequested))]
[JsonSerializable(typeof(AgentStarted))]
[JsonSerializable(typeof(AgentThinking))]
[JsonSerializable(typeof(ToolExecuting))]
[JsonSerializable(typeof(ToolCompleted))]
[JsonSerializable(typeof(AgentMessage))]
[JsonSerializable(typeof(AgentCompleted))]
[JsonSerializable(typeof(AgentFailed))]
[JsonSerializable(typeof(AgentCancelled))]
[JsonSerializable(typeof(CustomAgentEvent))]
[JsonSerializable(typeof(AgentEventPage))]
[JsonSerializable(typeof(StartRun))]
[JsonSerializable(typeof(CancelRun))]
[JsonSerializable(typeof(ReadyFrame))]
[JsonSerializable(typeof(LiveFrame))]
[JsonSerializable(typeof(StatusFrame))]
[JsonSerializable(typeof(HeartbeatFrame))]
[JsonSerializable(typeof(ResetFrame))]
[JsonSerializable(typeof(JsonElement))]
public sealed partial class AgentEventJsonContext : JsonSerializerContext;

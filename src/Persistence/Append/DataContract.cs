using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Whether <c>data</c> fits the contract of a type that the pipeline knows.</summary>
internal static class DataContract
{
    // Data that repeats a name of the envelope means something else by it: only the record's own properties are read. The
    // envelope's are moved out of the way, as a record can't be made without them.
    private static readonly HashSet<string> Envelope =
        [.. typeof(AgentEvent).GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name))];

    private static readonly JsonSerializerOptions OwnProperties = new(AgentEventJson.Full)
    {
        TypeInfoResolver = AgentEventJsonContext.Default.WithAddedModifier(HideEnvelope),
    };

    private static readonly ConcurrentDictionary<Type, JsonPropertyInfo[]> Required = new();

    /// <summary>The record, without its envelope; null for a type that the pipeline does not know.</summary>
    /// <exception cref="InvalidEventException">The data does not fit.</exception>
    public static AgentEvent? Read(string type, ReadOnlySpan<byte> data)
    {
        if (EventTypes.RecordOf(type) is not { } record)
        {
            return null;
        }

        try
        {
            return (AgentEvent?)JsonSerializer.Deserialize(data, OwnProperties.GetTypeInfo(record));
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidEventException("data", $"does not fit {type}: {problem.Message}");
        }
    }

    /// <summary>The compiler's word for what is required can be broken with <c>null!</c>, and nulls are not written.</summary>
    /// <exception cref="InvalidEventException">Something that is required is null.</exception>
    public static void CheckRequired(AgentEvent @event)
    {
        foreach (var property in Required.GetOrAdd(@event.GetType(), static type => FindRequired(type)))
        {
            if (property.Get!(@event) is null)
            {
                throw new InvalidEventException("data", $"has no {property.Name}, which {@event.Type} needs");
            }
        }
    }

    private static JsonPropertyInfo[] FindRequired(Type type) =>
    [
        .. OwnProperties.GetTypeInfo(type).Properties
            .Where(property => property is { IsRequired: true, Get: not null, PropertyType.IsValueType: false }),
    ];

    private static void HideEnvelope(JsonTypeInfo info)
    {
        if (!info.Type.IsAssignableTo(typeof(AgentEvent)))
        {
            return;
        }

        foreach (var property in info.Properties.Where(property => Envelope.Contains(property.Name)))
        {
            property.Name = "\0" + property.Name;
        }
    }
}

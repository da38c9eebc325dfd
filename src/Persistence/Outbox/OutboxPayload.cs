using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>What an outbox row's payload holds, written and read in one place.</summary>
internal static class OutboxPayload
{
    /// <summary>Pointers into the log, as <see cref="OutboxKind.Events"/> rows hold them.</summary>
    public static string Write(IEnumerable<OutboxRange> ranges) =>
        JsonSerializer.Serialize(ranges.Select(range => new { stream = range.Stream.Value, first = range.First, last = range.Last }));

    /// <summary>A command, as <see cref="OutboxKind.Command"/> rows hold it; <paramref name="command"/> is one of the contracts.</summary>
    public static CommittedCommand Describe(object command) =>
        new(command.GetType().Name, JsonSerializer.Serialize(command, AgentEventJson.Full.GetTypeInfo(command.GetType())));

    /// <inheritdoc cref="Describe"/>
    public static string Write(CommittedCommand command) =>
        $$"""{"type":{{JsonSerializer.Serialize(command.Type)}},"message":{{command.Message}}}""";

    /// <inheritdoc cref="Describe"/>
    public static CommittedCommand ReadCommand(string payload)
    {
        using var document = JsonDocument.Parse(payload);
        return new CommittedCommand(
            document.RootElement.GetProperty("type").GetString()!, document.RootElement.GetProperty("message").GetRawText());
    }
}

/// <param name="First">Position of the first event.</param>
/// <param name="Last">Position of the last.</param>
internal readonly record struct OutboxRange(StreamKey Stream, long First, long Last);

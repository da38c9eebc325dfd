using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>What a batch owes to the bus beside its pages: typed events as the setting says, and its command.</summary>
internal sealed partial class TypedEvents(IOptions<BusOptions> options, ILogger<TypedEvents> logger)
{
    private readonly string _wanted = options.Value.TypedEvents;
    private readonly ILogger<TypedEvents> _logger = logger;

    /// <summary>The types of what the batch owes, each once: of wanted events, and of its command.</summary>
    public IEnumerable<string> TypesIn(CommittedBatch batch)
    {
        if (batch.Command is { } command)
        {
            return [command.Type];
        }

        return _wanted == BusOptions.TypedNone
            ? []
            : batch.Ranges.SelectMany(range => range.Events).Select(e => e.Type).Where(Wants).Distinct();
    }

    /// <summary>The messages of one of those types, read as they are asked for.</summary>
    public IEnumerable<object> Of(CommittedBatch batch, string type) =>
        batch.Command is null ? EventsOf(batch, type) : CommandOf(batch);

    private IEnumerable<object> EventsOf(CommittedBatch batch, string type)
    {
        foreach (var range in batch.Ranges)
        {
            for (var i = 0; i < range.Events.Count; i++)
            {
                if (range.Events[i].Type == type && Read(range.Stream, range.First + i, range.Events[i]) is { } typed)
                {
                    yield return typed;
                }
            }
        }
    }

    /// <summary>The command's record; empty, and logged, when it can't be read: the run's row is the truth.</summary>
    private IEnumerable<object> CommandOf(CommittedBatch batch)
    {
        object? message = null;
        try
        {
            message = batch.Command switch
            {
                { Type: nameof(StartRun) } command => JsonSerializer.Deserialize<StartRun>(command.Message, AgentEventJson.Full),
                { Type: nameof(CancelRun) } command => JsonSerializer.Deserialize<CancelRun>(command.Message, AgentEventJson.Full),
                _ => null,
            };
        }
        catch (JsonException exception)
        {
            LogUnreadableCommand(batch.OutboxId, exception.Message);
            yield break;
        }

        if (message is null)
        {
            LogUnreadableCommand(batch.OutboxId, $"its type is '{batch.Command?.Type}'");
            yield break;
        }

        yield return message;
    }

    private bool Wants(string type) => _wanted switch
    {
        BusOptions.TypedAll => EventTypes.RecordOf(type) is not null,
        BusOptions.TypedLifecycle => EventTypes.IsLifecycle(type),
        _ => false,
    };

    private AgentEvent? Read(StreamKey stream, long position, CommittedEvent @event)
    {
        try
        {
            return Read(stream, position, @event.Body);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            LogUnfit(@event.Type, stream, position, exception.Message);
            return null;
        }
    }

    private static AgentEvent? Read(StreamKey stream, long position, ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var (tenant, user) = stream.Split();
        var envelope = new EventEnvelope
        {
            Id = root.GetProperty("id").GetGuid(),
            Type = root.GetProperty("type").GetString() ?? "",
            Tenant = tenant,
            User = user,
            Thread = root.GetProperty("thread").GetString() ?? "",
            Run = root.GetProperty("run").GetString() ?? "",
            Sequence = root.GetProperty("sequence").GetInt64(),
            Time = root.GetProperty("time").GetDateTimeOffset(),
            Position = position,
        };
        return AgentEventJson.Materialize(envelope, JsonMarshal.GetRawUtf8Value(root.GetProperty("data")));
    }

    [LoggerMessage(2040, LogLevel.Warning, "The {Type} of {Stream} at {Position} does not fit its contract and is not published as a typed message: {Problem}")]
    private partial void LogUnfit(string type, StreamKey stream, long position, string problem);

    [LoggerMessage(2041, LogLevel.Error, "The command of outbox row {OutboxId} is not published: {Problem}")]
    private partial void LogUnreadableCommand(long outboxId, string problem);
}

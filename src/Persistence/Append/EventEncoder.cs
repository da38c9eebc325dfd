using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Checks events and encodes their bodies, once; everything behind it passes bytes on.</summary>
public sealed class EventEncoder(IOptions<PersistenceOptions> options, TimeProvider time)
{
    /// <summary>Deepest nesting of <c>data</c>: below the 64 that JSON readers allow, with room for the frames around it.</summary>
    public const int MaxDataDepth = 48;

    /// <summary>Longest lease a run may ask for, in seconds.</summary>
    public const int MaxLeaseSeconds = 86_400;

    /// <summary>Shortest: an observer that looks every 2 s must see it move.</summary>
    public const int MinLeaseSeconds = 5;

    private static readonly JsonReaderOptions DataOptions = new() { MaxDepth = MaxDataDepth };

    private readonly int _maxEventBytes = options.Value.MaxEventBytes;
    private readonly TimeProvider _time = time;

    /// <summary>
    /// Characters of text that fit into one event whatever they are: a character takes up to 6 bytes of JSON, and its
    /// event up to 1 KB beside it.
    /// </summary>
    public int MaxTextLength => Math.Max(16, (_maxEventBytes - 1_024) / 6);

    /// <exception cref="InvalidEventException">A field is wrong, or the event is too large.</exception>
    public NewEvent Encode(AgentEvent @event) => EncodeNumbered(@event, filledIn: 0);

    /// <summary>As <see cref="Encode(AgentEvent)"/>, with a sequence that is not the producer's.</summary>
    /// <param name="event">What the producer made.</param>
    /// <param name="filledIn">
    /// The sequence, where the pipeline gives it instead of the producer: it counts as little as any other field that was
    /// filled in when a repeated event is told from another one with the same id. 0: none.
    /// </param>
    /// <exception cref="InvalidEventException">A field is wrong, or the event is too large.</exception>
    public NewEvent EncodeNumbered(AgentEvent @event, long filledIn)
    {
        ArgumentNullException.ThrowIfNull(@event);
        Check(@event.Attempt >= 0, "attempt", $"is {@event.Attempt}; it counts from 1, and 0 means that no worker executes the run");
        if (@event is CustomAgentEvent custom)
        {
            Check(custom.Data.ValueKind == JsonValueKind.Object, "data", $"is {custom.Data.ValueKind}; an object is needed");
            Check(EventTypes.RecordOf(custom.EventType) is null, "type", $"is '{custom.EventType}', which has a record of its own; use that");
        }

        var envelope = new EventEnvelope
        {
            Id = @event.Id,
            Type = @event.Type,
            Tenant = @event.Tenant,
            User = @event.User,
            Thread = @event.Thread,
            Run = @event.Run,
            Sequence = @event.Sequence,
            Time = @event.Time,
            Position = @event.Position,
        };
        CheckEnvelope(envelope);
        DataContract.CheckRequired(@event);
        return Encode(envelope, AgentEventJson.SerializeData(@event), @event.Attempt, filledIn, @event as AgentStarted);
    }

    /// <summary>As the other overload, for data that came as JSON. <see cref="EventEnvelope.Sequence"/> 0, <see cref="EventEnvelope.Time"/> null: filled in.</summary>
    /// <exception cref="InvalidEventException">A field is wrong, the data is no JSON object, does not fit its known type, or is too large.</exception>
    public NewEvent Encode(EventEnvelope envelope, ReadOnlyMemory<byte> data)
    {
        ArgumentNullException.ThrowIfNull(envelope);
        CheckEnvelope(envelope);
        CheckSize(data.Length);
        CheckJson(data.Span);
        return EncodeChecked(envelope, data.Span, attempt: 0, filledIn: 0, DataContract.Read(envelope.Type, data.Span) as AgentStarted);
    }

    private NewEvent Encode(EventEnvelope envelope, byte[] data, int attempt, long filledIn, AgentStarted? started)
    {
        CheckSize(data.Length);
        CheckJson(data);
        return EncodeChecked(envelope, data, attempt, filledIn, started);
    }

    private NewEvent EncodeChecked(EventEnvelope envelope, ReadOnlySpan<byte> data, int attempt, long filledIn, AgentStarted? started)
    {
        Check(
            started?.Lease is null or (>= MinLeaseSeconds and <= MaxLeaseSeconds),
            "data", $"asks for a lease outside {MinLeaseSeconds} to {MaxLeaseSeconds} seconds");
        var time = envelope.Time ?? _time.GetUtcNow();
        var hash = EventHash.Of(envelope, data);
        envelope = filledIn > 0 ? envelope with { Sequence = filledIn } : envelope;
        var body = EventBody.Write(envelope, time, data);
        CheckSize(body.Length);
        return new NewEvent
        {
            Stream = StreamKey.Of(envelope.Tenant, envelope.User),
            Id = envelope.Id,
            Type = envelope.Type,
            Thread = envelope.Thread,
            Run = envelope.Run,
            Sequence = envelope.Sequence,
            Attempt = attempt,
            OccurredAt = time,
            LeaseSeconds = attempt == 0 ? started?.Lease : null,
            Hash = hash,
            Body = body,
        };
    }

    private static void CheckEnvelope(EventEnvelope envelope)
    {
        Check(envelope.Id != Guid.Empty, "id", "is the empty UUID; give every event its own");
        CheckId("type", envelope.Type);
        CheckId("tenant", envelope.Tenant);
        CheckId("user", envelope.User);
        CheckId("thread", envelope.Thread);
        CheckId("run", envelope.Run);
        Check(envelope.Sequence >= 0, "sequence", $"is {envelope.Sequence}; it counts from 1, and 0 takes the run's next one");
        Check(envelope.Position == 0, "position", $"is {envelope.Position}; the log gives it, leave it 0");
    }

    private static void CheckId(string field, string value)
    {
        if (Limits.DescribeInvalidId(value) is { } problem)
        {
            throw new InvalidEventException(field, problem);
        }
    }

    private static void CheckJson(ReadOnlySpan<byte> data)
    {
        // The reader takes text as it comes, whether it is UTF-8 or not.
        Check(Utf8.IsValid(data), "data", "is no valid UTF-8");
        try
        {
            var reader = new Utf8JsonReader(data, DataOptions);
            Check(reader.Read() && reader.TokenType == JsonTokenType.StartObject, "data", $"is a JSON {reader.TokenType}; an object is needed");
            while (reader.Read())
            {
            }
        }
        catch (JsonException problem)
        {
            throw new InvalidEventException("data", $"is no JSON object that nests at most {MaxDataDepth} deep: {problem.Message}");
        }
    }

    private void CheckSize(int size)
    {
        if (size > _maxEventBytes)
        {
            throw new InvalidEventException(
                "data", $"makes the event {size} bytes of JSON, the limit is {_maxEventBytes}; store large results elsewhere and send a reference")
            {
                TooLarge = (size, _maxEventBytes),
            };
        }
    }

    private static void Check(bool holds, string field, string problem)
    {
        if (!holds)
        {
            throw new InvalidEventException(field, problem);
        }
    }
}

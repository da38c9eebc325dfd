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

    private static readonly JsonDocumentOptions DataOptions = new() { MaxDepth = MaxDataDepth };

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
        return Encode(envelope, AgentEventJson.SerializeData(@event), @event.Attempt, filledIn);
    }

    /// <summary>As the other overload, for data that came as JSON. <see cref="EventEnvelope.Sequence"/> 0, <see cref="EventEnvelope.Time"/> null: filled in.</summary>
    /// <exception cref="InvalidEventException">A field is wrong, the data is no JSON object, does not fit its known type, or is too large.</exception>
    public NewEvent Encode(EventEnvelope envelope, ReadOnlyMemory<byte> data)
    {
        ArgumentNullException.ThrowIfNull(envelope);
        CheckEnvelope(envelope);
        return Encode(envelope, data, attempt: 0, filledIn: 0);
    }

    private NewEvent Encode(EventEnvelope envelope, ReadOnlyMemory<byte> data, int attempt, long filledIn)
    {
        CheckSize(data.Length);
        CheckJson(data);
        var typed = CheckContract(envelope, data.Span);
        var time = envelope.Time ?? _time.GetUtcNow();
        var hash = EventHash.Of(envelope, data.Span);
        envelope = filledIn > 0 ? envelope with { Sequence = filledIn } : envelope;
        var body = EventBody.Write(envelope, time, data.Span);
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
            LeaseSeconds = attempt == 0 ? (typed as AgentStarted)?.Lease : null,
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

    private static void CheckJson(ReadOnlyMemory<byte> data)
    {
        Check(Utf8.IsValid(data.Span), "data", "is no valid UTF-8");
        try
        {
            using var document = JsonDocument.Parse(data, DataOptions);
            var kind = document.RootElement.ValueKind;
            Check(kind == JsonValueKind.Object, "data", $"is a JSON {kind}; an object is needed");
        }
        catch (JsonException problem)
        {
            throw new InvalidEventException("data", $"is no JSON object that nests at most {MaxDataDepth} deep: {problem.Message}");
        }
    }

    private static AgentEvent? CheckContract(EventEnvelope envelope, ReadOnlySpan<byte> data)
    {
        AgentEvent? typed;
        try
        {
            typed = AgentEventJson.Materialize(envelope, data);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidEventException("data", $"does not fit {envelope.Type}: {problem.Message}");
        }

        Check(typed is not AgentStarted { Lease: < MinLeaseSeconds or > MaxLeaseSeconds }, "data", $"asks for a lease outside {MinLeaseSeconds} to {MaxLeaseSeconds} seconds");
        return typed;
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

/// <summary>An event that can't be appended whatever the log holds.</summary>
/// <param name="field">JSON name of what is wrong, for example <c>thread</c>, <c>data</c> or <c>id</c>.</param>
/// <param name="problem">What is wrong and what to do, as the end of a sentence that begins with the field.</param>
public sealed class InvalidEventException(string field, string problem) : Exception($"{field} {problem}")
{
    public string Field { get; } = field;
    public string Problem { get; } = problem;

    /// <summary>Size and limit in bytes when the event is too large, else null.</summary>
    public (int Size, int Limit)? TooLarge { get; init; }
}

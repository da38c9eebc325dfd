using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Checks events and encodes their bodies, once; everything behind it passes bytes on.</summary>
public sealed class EventEncoder(IOptions<PersistenceOptions> options, TimeProvider time)
{
    private readonly int _maxEventBytes = options.Value.MaxEventBytes;
    private readonly TimeProvider _time = time;

    /// <exception cref="InvalidEventException">A field is wrong, or the event is too large.</exception>
    public NewEvent Encode(AgentEvent @event) => throw new NotImplementedException();

    /// <summary>As the other overload, for data that came as JSON. <see cref="EventEnvelope.Sequence"/> 0, <see cref="EventEnvelope.Time"/> null: filled in.</summary>
    /// <exception cref="InvalidEventException">A field is wrong, the data is no JSON object, does not fit its known type, or is too large.</exception>
    public NewEvent Encode(EventEnvelope envelope, ReadOnlyMemory<byte> data) => throw new NotImplementedException();
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

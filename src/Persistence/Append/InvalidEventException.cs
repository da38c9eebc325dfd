namespace Pipeline.Persistence;

/// <summary>An event that can't be appended whatever the log holds.</summary>
/// <param name="field">JSON name of what is wrong, for example <c>thread</c>, <c>data</c> or <c>id</c>.</param>
/// <param name="problem">What is wrong and what to do, as the end of a sentence that begins with the field.</param>
public sealed class InvalidEventException(string field, string problem) : Exception($"{field} {problem}")
{
    /// <summary>JSON name of what is wrong.</summary>
    public string Field { get; } = field;

    /// <summary>What is wrong with it and what to do.</summary>
    public string Problem { get; } = problem;

    /// <summary>Size and limit in bytes when the event is too large, else null.</summary>
    public (int Size, int Limit)? TooLarge { get; init; }
}

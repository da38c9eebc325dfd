namespace Pipeline.Testing;

/// <summary>A promise that was broken.</summary>
/// <param name="Invariant">Of design section 8: <c>I1</c> to <c>I10</c>.</param>
/// <param name="What">Who, where, and what was seen instead.</param>
public sealed record Violation(string Invariant, string What)
{
    public override string ToString() => $"{Invariant}: {What}";
}

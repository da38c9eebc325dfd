namespace Pipeline.Client.Tests;

/// <summary>Chance as a test wants it: always this part of the whole.</summary>
internal sealed class FixedRandom(double part) : Random
{
    public override double NextDouble() => part;
}

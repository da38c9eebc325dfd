namespace Pipeline.Delivery.Api;

/// <summary>What this node lacks at the moment: <c>bus</c>, <c>log</c>. Thread-safe; those who talk to a dependency report.</summary>
public sealed class Degradation
{
    /// <summary>Sorted; empty when nothing is missing.</summary>
    public IReadOnlyList<string> Current => throw new NotImplementedException();

    /// <summary>Raised after <see cref="Current"/> changed.</summary>
    public event Action? Changed { add => throw new NotImplementedException(); remove => throw new NotImplementedException(); }

    /// <param name="dependency"><c>bus</c> or <c>log</c>.</param>
    public void Report(string dependency, bool available) => throw new NotImplementedException();
}

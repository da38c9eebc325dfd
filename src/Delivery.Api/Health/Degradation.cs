namespace Pipeline.Delivery.Api;

/// <summary>What this node lacks at the moment: <c>bus</c>, <c>log</c>. Thread-safe; those who talk to a dependency report.</summary>
public sealed class Degradation
{
    public const string Bus = "bus";
    public const string Log = "log";

    private readonly Lock _lock = new();
    private volatile string[] _current = [];

    /// <summary>Sorted; empty when nothing is missing. The same object until something changes.</summary>
    public IReadOnlyList<string> Current => _current;

    /// <summary>Whether the log cannot be read at the moment.</summary>
    public bool IsLogAway => _current.Contains(Log);

    /// <summary>What is missing, and one more.</summary>
    public IReadOnlyList<string> CurrentAnd(string dependency)
    {
        var current = _current;
        return current.Contains(dependency) ? current : [.. current.Append(dependency).Order(StringComparer.Ordinal)];
    }

    /// <summary>Raised after <see cref="Current"/> changed.</summary>
    public event Action? Changed;

    /// <param name="dependency"><c>bus</c> or <c>log</c>.</param>
    public void Report(string dependency, bool available)
    {
        lock (_lock)
        {
            if (_current.Contains(dependency) != available)
            {
                return;
            }

            _current = available
                ? [.. _current.Where(name => name != dependency)]
                : [.. CurrentAnd(dependency)];
        }

        Changed?.Invoke();
    }
}

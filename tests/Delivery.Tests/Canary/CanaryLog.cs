using Microsoft.Extensions.Logging;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

/// <summary>Ids of what the canary's state logged.</summary>
internal sealed class CanaryLog : ILogger<CanaryState>
{
    public List<int> Entries { get; } = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Entries.Add(eventId.Id);
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Pipeline.Messaging.Tests;

/// <summary>What a host logged, warnings and errors; shown beside a test that failed.</summary>
internal sealed class RecordedLogs : ILoggerProvider
{
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;
    private readonly ConcurrentQueue<(string Category, int Id)> _entries = [];

    public int Count(int id) => _entries.Count(entry => entry.Id == id);

    public IEnumerable<string> Categories => _entries.Select(entry => entry.Category).Distinct();

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose() { }

    private sealed class Logger(RecordedLogs owner, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            owner._entries.Enqueue((category, eventId.Id));
            try
            {
                owner._output?.WriteLine($"{logLevel} {category} {eventId.Id}: {formatter(state, exception)} {exception?.Message}");
            }
            catch (InvalidOperationException)
            {
                // The test is over.
            }
        }
    }
}

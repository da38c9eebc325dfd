using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Scoped: collects events while a unit of work goes on, and appends them with it. What was published and never
/// committed is logged as an error when the scope ends.
/// </summary>
public sealed partial class AgentEventPublisher(EventLog log, ILogger<AgentEventPublisher> logger) : IDisposable
{
    private readonly List<AgentEvent> _events = [];
    private readonly ILogger _logger = logger;

    /// <summary>Notes the event for <see cref="CommitAsync"/>. It is checked there, together with the others.</summary>
    public void Publish(AgentEvent @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        _events.Add(@event);
    }

    /// <summary>
    /// Saves <paramref name="db"/> and commits what was published, as <see cref="EventLog.CommitAsync"/>. What was
    /// published stays noted until it is committed, so that a failed call may be repeated.
    /// </summary>
    public async Task<AppendResult> CommitAsync(DbContext db, CancellationToken cancellationToken)
    {
        var result = await log.CommitAsync(db, [.. _events], cancellationToken);
        _events.Clear();
        return result;
    }

    /// <summary>Logs what was published and never committed, and forgets it.</summary>
    public void Dispose()
    {
        if (_events.Count > 0)
        {
            LogForgotten(_events.Count, string.Join(", ", _events.Select(e => e.Type).Distinct()));
            _events.Clear();
        }
    }

    [LoggerMessage(1110, LogLevel.Error, "{Count} published events were never committed and are lost: {Types}. Call AgentEventPublisher.CommitAsync before the scope ends")]
    private partial void LogForgotten(int count, string types);
}

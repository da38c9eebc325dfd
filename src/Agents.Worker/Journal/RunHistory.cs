using System.Runtime.CompilerServices;
using System.Text.Json;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>Reads a run's events back from the log.</summary>
internal sealed class RunHistory(LogReader log)
{
    private const int PageBytes = 1024 * 1024;
    private readonly LogReader _log = log;

    /// <param name="run">Whose first event says where to begin.</param>
    /// <param name="last">The sequence to end with: what is written meanwhile is not waited for.</param>
    public async IAsyncEnumerable<AgentEvent> ReadAsync(
        ClaimedRun run, long last, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = Math.Max(0, run.FirstPosition - 1);
        while (true)
        {
            var page = await _log.ReadThreadAsync(
                run.Key.Stream, run.Thread, after, Limits.PageEvents, PageBytes, cancellationToken);
            foreach (var stored in page.Events)
            {
                if (Parse(run.Key, stored) is { } @event)
                {
                    yield return @event;
                    if (@event.Sequence >= last)
                    {
                        yield break;
                    }
                }
            }

            if (page.Scanned >= page.Head.Head || page.Scanned <= after)
            {
                yield break;
            }

            after = page.Scanned;
        }
    }

    /// <summary>Null: another run's.</summary>
    private static AgentEvent? Parse(RunKey run, LogEvent stored)
    {
        using var document = JsonDocument.Parse(stored.Body);
        var body = document.RootElement;
        if (body.GetProperty("run").GetString() != run.Run)
        {
            return null;
        }

        var (tenant, user) = run.Stream.Split();
        var envelope = new EventEnvelope
        {
            Id = body.GetProperty("id").GetGuid(),
            Type = body.GetProperty("type").GetString()!,
            Tenant = tenant,
            User = user,
            Thread = body.GetProperty("thread").GetString()!,
            Run = run.Run,
            Sequence = body.GetProperty("sequence").GetInt64(),
            Time = body.GetProperty("time").GetDateTimeOffset(),
            Position = stored.Position,
        };
        var data = body.GetProperty("data");
        return AgentEventJson.Materialize(envelope, JsonSerializer.SerializeToUtf8Bytes(data)) ?? Custom(envelope, data);
    }

    private static CustomAgentEvent Custom(EventEnvelope envelope, JsonElement data) => new()
    {
        EventType = envelope.Type,
        Data = data.Clone(),
        Id = envelope.Id,
        Tenant = envelope.Tenant,
        User = envelope.User,
        Thread = envelope.Thread,
        Run = envelope.Run,
        Sequence = envelope.Sequence,
        Time = envelope.Time,
        Position = envelope.Position,
    };
}

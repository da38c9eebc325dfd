using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// The pipeline's own stream, one a database: every delivery node appends to it and looks for its own events in it. They take
/// the path of any other event, but belong to no run and leave nothing behind but the newest few hundred.
/// </summary>
public sealed class CanaryStream(EventLog log, PipelineDatabase database, ProcessIdentity identity, TimeProvider time)
{
    /// <summary>Type of its events.</summary>
    public const string EventType = "canary";

    /// <summary>So many of the newest events stay.</summary>
    public const int Kept = 500;

    // Who appends an event at a multiple of this trims: once in a while, and one node of many.
    private const int TrimEvery = 100;
    private const int TrimAtOnce = 1_000;

    /// <summary>Appends one event, as <see cref="EventLog.AppendAsync(IReadOnlyList{NewEvent}, CancellationToken)"/> does, and returns its position.</summary>
    public async Task<long> AppendAsync(Guid id, CancellationToken cancellationToken)
    {
        var result = await log.AppendAsync([Encode(id)], cancellationToken);
        return result.Events[0].Position;
    }

    /// <summary>Whether who appended at this position should trim.</summary>
    public static bool IsTrimDue(long position) => position % TrimEvery == 0;

    /// <summary>
    /// Removes what is older than the newest <see cref="Kept"/> events, a bounded number, and returns how many are gone: none
    /// while another process has the head.
    /// </summary>
    public async Task<int> TrimAsync(CancellationToken cancellationToken)
    {
        await using var locked = await database.TryLockStreamAsync(StreamKey.Canary, cancellationToken);
        if (locked is null)
        {
            return 0;
        }

        var (trimmed, upTo) = (locked.Head.Trimmed, Math.Min(locked.Head.Head - Kept, locked.Head.Trimmed + TrimAtOnce));
        if (upTo <= trimmed)
        {
            return 0;
        }

        var removed = await locked.Context.Events
            .Where(row => row.Stream == StreamKey.Canary.Value && row.Position <= upTo).ExecuteDeleteAsync(cancellationToken);
        await locked.Context.Heads.Where(row => row.Stream == StreamKey.Canary.Value)
            .ExecuteUpdateAsync(row => row.SetProperty(head => head.Trimmed, upTo), cancellationToken);
        await locked.CommitAsync(cancellationToken);
        return removed;
    }

    private NewEvent Encode(Guid id)
    {
        var (tenant, user) = StreamKey.Canary.Split();
        var envelope = new EventEnvelope
        {
            Id = id, Type = EventType, Tenant = tenant, User = user, Thread = EventType, Run = id.ToString(), Sequence = 1,
            Time = time.GetUtcNow(), Position = 0,
        };
        var data = JsonSerializer.SerializeToUtf8Bytes(new { host = identity.Host, process = identity.Id });
        return new NewEvent
        {
            Stream = StreamKey.Canary, Id = id, Type = envelope.Type, Thread = envelope.Thread, Run = envelope.Run,
            Sequence = envelope.Sequence, Attempt = 0, OccurredAt = envelope.Time.Value, LeaseSeconds = null,
            Hash = EventHash.Of(envelope, data), Body = EventBody.Write(envelope, envelope.Time.Value, data),
        };
    }
}

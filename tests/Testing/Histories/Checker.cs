using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>
/// Judges a history by the invariants of design section 8, as Jepsen's queue checkers do: lost is what was acknowledged
/// and not received, unexpected what was received and not attempted; what was attempted with an unknown outcome and is
/// there is recovered, which is legal. Pure: the histories must be complete, that is, drained after everything healed.
/// </summary>
public static class Checker
{
    /// <summary>Bound from commit to screen, and how long after a fault it takes to hold again (I8).</summary>
    private static readonly TimeSpan InTime = TimeSpan.FromSeconds(2);

    /// <inheritdoc cref="InTime"/>
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(10);

    /// <param name="history">What was seen from outside.</param>
    /// <param name="logs">What is committed, by user.</param>
    /// <param name="terms">What is due beyond that; everything unless given.</param>
    public static Verdict Judge(History history, IReadOnlyDictionary<string, CommittedLog> logs, JudgeTerms? terms = null)
    {
        terms ??= new JudgeTerms();
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(logs);
        var violations = new List<Violation>(history.Seen);
        violations.AddRange(logs.SelectMany(log => LogChecker.Check(history, log.Key, log.Value, terms.RunsEnd)));
        var ids = logs.SelectMany(log => log.Value.Events.Select(e => (e.Id, log.Key))).ToLookup(pair => pair.Id, pair => pair.Key);
        violations.AddRange(history.Acknowledged
            .Where(ack => !logs.TryGetValue(ack.User, out var log) || !ids[ack.Id].Contains(ack.User) && !WasTrimmed(ack, log))
            .Select(ack => new Violation("I1", $"{ack.User}: {ack.Id} was acknowledged at {ack.Cursor} and is not in the log")));
        var bodies = logs.SelectMany(log => log.Value.Events.Select(e => (e.Body, User: log.Key)))
            .ToLookup(pair => pair.Body, pair => pair.User, StringComparer.Ordinal);
        foreach (var client in history.Clients)
        {
            violations.AddRange(client.Violations);
            violations.AddRange(CheckClient(client, logs.GetValueOrDefault(client.User) ?? new CommittedLog(null, 0, []), bodies));
            if (!terms.Resets && client.Resets > 0)
            {
                violations.Add(new("I6", $"{client.Name}: {client.Resets} resets without a reason"));
            }

            if (terms.InTime && client.Stays)
            {
                violations.AddRange(CheckTimes(client, logs.GetValueOrDefault(client.User), history.Faults));
            }
        }

        var acknowledged = history.Acknowledged.Select(ack => ack.Id).ToHashSet();
        return new Verdict(
            logs.Values.Sum(log => log.Events.Count),
            history.Clients.Sum(client => client.Received.Count(item => item.Body is not null)),
            history.Attempted.Keys.Count(id => !acknowledged.Contains(id) && ids.Contains(id)),
            history.Faults.Count,
            violations);
    }

    private static bool WasTrimmed(Acknowledgement ack, CommittedLog log) =>
        Cursor.TryParse(ack.Cursor, out var cursor) && cursor.Position <= log.Trimmed;

    private static IEnumerable<Violation> CheckClient(ClientHistory client, CommittedLog log, ILookup<string, string> bodies)
    {
        var committed = log.Events.ToDictionary(e => e.Position, e => e.Body);
        Cursor? last = null;
        foreach (var item in client.Received)
        {
            if (item.Body is not { } body)
            {
                last = item.Cursor;
                continue;
            }

            if (last is { } before && (item.Cursor.Epoch != before.Epoch || item.Cursor.Position != before.Position + 1))
            {
                yield return new("I3", $"{client.Name}: {item.Cursor} came after {before}");
            }

            last = item.Cursor;
            if (log.Epoch is not null && item.Cursor.Epoch != log.Epoch)
            {
                continue;
            }

            if (!committed.TryGetValue(item.Cursor.Position, out var stored) && item.Cursor.Position > log.Trimmed)
            {
                yield return Strange(client, item.Cursor, body, bodies);
            }
            else if (stored is not null && stored != body)
            {
                yield return Strange(client, item.Cursor, body, bodies);
            }
        }

        foreach (var violation in CheckComplete(client, log))
        {
            yield return violation;
        }
    }

    private static Violation Strange(ClientHistory client, Cursor cursor, string body, ILookup<string, string> bodies) =>
        bodies[body].FirstOrDefault(user => user != client.User) is { } owner
            ? new("I5", $"{client.Name}: {cursor} is an event of {owner}")
            : new("I2", $"{client.Name}: {cursor} is not what is committed: {body}");

    /// <summary>Since its last reset a client must have everything up to the head.</summary>
    private static IEnumerable<Violation> CheckComplete(ClientHistory client, CommittedLog log)
    {
        var items = client.Received;
        var begin = items.Index().LastOrDefault(item => item.Item.Body is null, (-1, null!)).Index;
        var from = begin >= 0 ? items[begin].Cursor.Position : 0;
        var held = items.Skip(begin + 1).Select(item => item.Cursor.Position).ToHashSet();
        var lost = log.Events.Select(e => e.Position).Where(position => position > from && !held.Contains(position)).ToList();
        if (lost.Count > 0)
        {
            yield return new("I1", $"{client.Name}: lost {lost.Count} of {log.Events.Count} events, {lost[0]} to {lost[^1]}; it is at {client.Cursor}");
        }

        if (items.Count > begin + 1 && log.Epoch is not null && items[^1].Cursor.Epoch != log.Epoch)
        {
            yield return new("I6", $"{client.Name}: is still in epoch {items[^1].Cursor.Epoch}, the log's is {log.Epoch}");
        }
    }

    private static IEnumerable<Violation> CheckTimes(ClientHistory client, CommittedLog? log, IReadOnlyCollection<FaultSpan> faults)
    {
        if (log is null)
        {
            yield break;
        }

        var stored = log.Events.ToDictionary(e => e.Position, e => e.StoredAt);
        var since = client.CameAt ?? DateTimeOffset.MinValue;
        foreach (var item in client.Received)
        {
            if (item.Body is not null
                && (log.Epoch is null || item.Cursor.Epoch == log.Epoch)
                && stored.TryGetValue(item.Cursor.Position, out var at)
                && at >= since
                && item.At > Deadline(at, faults))
            {
                yield return new("I8", $"{client.Name}: {item.Cursor}, committed at {at:HH:mm:ss.fff}, came {(item.At - at).TotalSeconds:0.0} s later");
            }
        }
    }

    /// <summary>Two seconds, or two seconds once every fault meanwhile has been healed for ten.</summary>
    public static DateTimeOffset Deadline(DateTimeOffset committed, IEnumerable<FaultSpan> faults)
    {
        var deadline = committed + InTime;
        foreach (var fault in faults.OrderBy(fault => fault.From))
        {
            if (fault.From <= deadline && (fault.Until is not { } until || until + Recovery >= committed))
            {
                var healed = fault.Until is { } end ? end + Recovery + InTime : DateTimeOffset.MaxValue;
                deadline = healed > deadline ? healed : deadline;
            }
        }

        return deadline;
    }
}

/// <summary>What is due beyond what always is.</summary>
public sealed record JudgeTerms
{
    /// <summary>Every event is in time (I8).</summary>
    public bool InTime { get; init; } = true;

    /// <summary>Every run has ended (I10).</summary>
    public bool RunsEnd { get; init; } = true;

    /// <summary>Something happened that makes clients start over: retention, an erasure, a lost tail.</summary>
    public bool Resets { get; init; }
}

/// <param name="Events">Committed.</param>
/// <param name="Deliveries">Events received, over all clients.</param>
/// <param name="Recovered">Events whose append was never answered and that are committed all the same.</param>
public sealed record Verdict(int Events, int Deliveries, int Recovered, int Faults, IReadOnlyList<Violation> Violations)
{
    public override string ToString() => $"events={Events} faults={Faults} violations={Violations.Count}";
}

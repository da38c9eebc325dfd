using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>Judges what one user's log holds: positions, ids, runs, and that all of it was attempted.</summary>
internal static class LogChecker
{
    public static IEnumerable<Violation> Check(History history, string user, CommittedLog log, bool runsEnd)
    {
        var expected = log.Trimmed + 1;
        foreach (var e in log.Events)
        {
            if (e.Position != expected)
            {
                yield return new("I3", $"{user}: the log has {e.Position} where {expected} is due");
            }

            expected = e.Position + 1;
            if (!history.WasAskedFor(user, e.Thread) && !(history.Attempted.TryGetValue(e.Id, out var producer) && producer == user))
            {
                yield return new("I2", $"{user}: nobody attempted {e.Id} at {e.Position}: {e.Body}");
            }
        }

        foreach (var violation in CheckIds(history, user, log).Concat(CheckRuns(history, user, log, runsEnd)))
        {
            yield return violation;
        }
    }

    private static IEnumerable<Violation> CheckIds(History history, string user, CommittedLog log)
    {
        var positions = log.Events.ToLookup(e => e.Id, e => e.Position);
        foreach (var twice in positions.Where(group => group.Count() > 1))
        {
            yield return new("I4", $"{user}: {twice.Key} is at {string.Join(" and ", twice)}");
        }

        foreach (var ack in history.Acknowledged.Where(ack => ack.User == user))
        {
            if (!Cursor.TryParse(ack.Cursor, out var cursor))
            {
                yield return new("I4", $"{user}: {ack.Id} was acknowledged at what is no cursor: {ack.Cursor}");
            }
            else if ((log.Epoch is null || cursor.Epoch == log.Epoch) && positions[ack.Id].Any(position => position != cursor.Position))
            {
                yield return new("I4", $"{user}: {ack.Id} was acknowledged at {ack.Cursor} and is at {positions[ack.Id].First()}");
            }
        }
    }

    private static IEnumerable<Violation> CheckRuns(History history, string user, CommittedLog log, bool runsEnd)
    {
        foreach (var run in log.Events.GroupBy(e => e.Run))
        {
            var events = run.ToList();
            var endings = events.Count(e => e.IsTerminal);
            if (endings > 1 || (endings == 1 && !events[^1].IsTerminal) || (endings == 0 && runsEnd))
            {
                yield return new("I10", $"{user}: run {run.Key} has {endings} endings among {events.Count} events, the last is {events[^1].Type}");
            }

            var first = log.Trimmed > 0 ? events[0].Sequence : 1;
            if (events.Index().Any(item => item.Item.Sequence != first + item.Index))
            {
                yield return new("I3", $"{user}: run {run.Key} is numbered {string.Join(", ", events.Take(20).Select(e => e.Sequence))}");
            }
        }

        foreach (var thread in log.Events.GroupBy(e => e.Thread).Where(thread => history.WasAskedFor(user, thread.Key)))
        {
            if (thread.Select(e => e.Run).Distinct().Count() > 1)
            {
                yield return new("I4", $"{user}: thread {thread.Key} was asked for once and has runs {string.Join(", ", thread.Select(e => e.Run).Distinct())}");
            }
        }
    }
}

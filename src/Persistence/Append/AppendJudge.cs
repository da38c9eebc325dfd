using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Decides what becomes of each event by what the log holds under the lock: ids come before fences, and a unit is stored
/// whole or not at all. The same rules for both dialects. Pure.
/// </summary>
internal sealed class AppendJudge
{
    private readonly AppendLookup _log;
    private readonly List<PlannedEvent> _events = [];
    private readonly Dictionary<StreamKey, PlannedRange> _ranges = [];
    private readonly Dictionary<RunKey, PlannedRun> _planned = [];

    // What units accepted before have added to the lookup.
    private readonly Dictionary<(StreamKey, Guid), KnownEvent> _known = [];
    private readonly Dictionary<RunKey, RunState> _runs = [];

    private AppendJudge(AppendLookup log) => _log = log;

    public static AppendPlan Judge(IReadOnlyList<IReadOnlyList<NewEvent>> units, AppendLookup log)
    {
        var judge = new AppendJudge(log);
        var outcomes = units.Select(unit => UnitOutcome.From(unit, judge.Judge(unit), log.Generation)).ToList();
        return new AppendPlan(
            log.Generation, log.OutboxId, outcomes, judge._events, judge._planned.Values, [.. judge._ranges.Values], log.Identity, log.Transaction);
    }

    private List<AppendRow> Judge(IReadOnlyList<NewEvent> unit)
    {
        var rows = new List<AppendRow>(unit.Count);
        var fresh = new Dictionary<StreamKey, int>();
        var runs = new Dictionary<RunKey, RunState>();
        foreach (var e in unit)
        {
            if (!_log.Heads.TryGetValue(e.Stream, out var head))
            {
                rows.Add(new AppendRow(Verdict.Skipped, 0, 0, false, 0, null, null));
            }
            else if (_known.TryGetValue((e.Stream, e.Id), out var known) || _log.Known.TryGetValue((e.Stream, e.Id), out known))
            {
                var verdict = known.Hash.AsSpan().SequenceEqual(e.Hash) ? Verdict.Accepted : Verdict.IdConflict;
                rows.Add(new AppendRow(verdict, known.Position, known.Sequence, true, head.Incarnation, null, null));
            }
            else
            {
                var key = new RunKey(e.Stream, e.Run);
                var run = runs.GetValueOrDefault(key) ?? StateOf(key, e.Thread);
                var position = (_ranges.GetValueOrDefault(e.Stream)?.Last ?? head.Head) + fresh.GetValueOrDefault(e.Stream) + 1;
                rows.Add(new AppendRow(run.Judge(e), position, run.LastSequence + 1, false, head.Incarnation, run.Thread, run.Attempt));
                runs[key] = run.After(e);
                fresh[e.Stream] = fresh.GetValueOrDefault(e.Stream) + 1;
            }
        }

        if (rows.TrueForAll(row => row.Verdict == Verdict.Accepted))
        {
            Accept(unit, rows, runs);
        }

        return rows;
    }

    private RunState StateOf(RunKey key, string thread) =>
        _runs.GetValueOrDefault(key) ?? _log.Runs.GetValueOrDefault(key) ?? new RunState(thread, false, null, 0);

    private void Accept(IReadOnlyList<NewEvent> unit, List<AppendRow> rows, Dictionary<RunKey, RunState> runs)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var (e, row) = (unit[i], rows[i]);
            if (!row.Duplicate)
            {
                Add(e, row.Position, row.Sequence);
            }
        }

        foreach (var (key, state) in runs)
        {
            _runs[key] = state;
        }
    }

    private void Add(NewEvent e, long position, long sequence)
    {
        var body = EventBody.Numbered(e, sequence);
        _events.Add(new PlannedEvent(e, position, sequence, body));
        _known[(e.Stream, e.Id)] = new KnownEvent(position, sequence, e.Hash);
        if (!_ranges.TryGetValue(e.Stream, out var range))
        {
            _ranges[e.Stream] = range = new PlannedRange(e.Stream, _log.Heads[e.Stream]);
        }

        range.Add(e.Type, body);
        if (e.Stream.IsReserved)
        {
            // The pipeline's own events belong to no run that anyone could ask for.
            return;
        }

        var key = new RunKey(e.Stream, e.Run);
        if (!_planned.TryGetValue(key, out var run))
        {
            _planned[key] = run = new PlannedRun(key, e.Thread, position);
        }

        run.Add(e, sequence);
    }
}

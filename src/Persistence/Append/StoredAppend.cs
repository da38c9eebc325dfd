namespace Pipeline.Persistence;

/// <summary>What one transaction's append did.</summary>
/// <param name="Units">One outcome a unit, in the order given.</param>
/// <param name="Batch">What the transaction owes to the bus; null when nothing new was stored.</param>
/// <param name="Generation">That of the database; under another one <paramref name="Transaction"/> says nothing.</param>
/// <param name="Transaction">The database's number of the transaction; null where it has none.</param>
internal sealed record StoredAppend(IReadOnlyList<UnitOutcome> Units, CommittedBatch? Batch, long Generation, ulong? Transaction);

/// <summary>Exactly one of the three is set.</summary>
/// <param name="Skipped">A head was missing or locked, and the append was not to wait.</param>
internal sealed record UnitOutcome(AppendResult? Appended, AppendRejectedException? Rejection, bool Skipped)
{
    public AppendResult ResultOrThrow() => Appended
        ?? throw (Rejection as Exception ?? new InvalidOperationException("A unit was skipped by an append that waits"));

    public static UnitOutcome From(IReadOnlyList<NewEvent> unit, List<AppendRow> rows, long generation)
    {
        if (rows.Exists(row => row.Verdict == Verdict.Skipped))
        {
            return new UnitOutcome(null, null, true);
        }

        var refused = rows.FindIndex(row => row.Verdict != Verdict.Accepted);
        if (refused >= 0)
        {
            return new UnitOutcome(null, Rejections.Of(unit[refused], rows[refused], refused), false);
        }

        var events = unit.Zip(rows, (e, row) =>
            new AppendedEvent(e.Stream, row.Incarnation, e.Id, row.Position, row.Sequence, row.Duplicate));
        return new UnitOutcome(new AppendResult(generation, [.. events]), null, false);
    }
}

/// <summary>What became of one event.</summary>
/// <param name="Position">Its position; the first one of a duplicate, the one in the way of an id conflict.</param>
/// <param name="Sequence">Its sequence as stored; the one it must have where that was the reason.</param>
/// <param name="RunThread">The run's thread, for <see cref="Verdict.ThreadMismatch"/>.</param>
/// <param name="RunAttempt">The run's attempt, for <see cref="Verdict.Fenced"/>; null for no such run.</param>
internal readonly record struct AppendRow(
    Verdict Verdict, long Position, long Sequence, bool Duplicate, long Incarnation, string? RunThread, int? RunAttempt);

/// <summary>What became of one event; 1 to 5 are <see cref="AppendRejection"/>.</summary>
internal enum Verdict
{
    Accepted = 0,
    IdConflict = AppendRejection.IdConflict,
    SequenceMismatch = AppendRejection.SequenceMismatch,
    RunEnded = AppendRejection.RunEnded,
    Fenced = AppendRejection.Fenced,
    ThreadMismatch = AppendRejection.ThreadMismatch,
    Skipped = 100,
}

internal static class Rejections
{
    public static AppendRejectedException Of(NewEvent e, AppendRow row, int index) => new(
        (AppendRejection)row.Verdict,
        index,
        row.Verdict switch
        {
            Verdict.IdConflict =>
                $"Event {e.Id} is at position {row.Position} with other content; a new event needs a new id",
            Verdict.SequenceMismatch =>
                $"Event {e.Id} has sequence {e.Sequence}, but the next of run '{e.Run}' is {row.Sequence}",
            Verdict.RunEnded =>
                $"Event {e.Id} comes after the end of run '{e.Run}'; a run has one ending and nothing behind it",
            Verdict.Fenced when row.RunAttempt is null =>
                $"Event {e.Id} is of attempt {e.Attempt}, but there is no run '{e.Run}'; a worker must claim the run first",
            Verdict.Fenced =>
                $"Event {e.Id} is of attempt {e.Attempt}, but run '{e.Run}' is at attempt {row.RunAttempt}; who executes it now is another",
            _ => $"Event {e.Id} is in thread '{e.Thread}', but run '{e.Run}' belongs to thread '{row.RunThread}'",
        });
}

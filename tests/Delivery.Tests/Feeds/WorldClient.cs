using Pipeline.Contracts;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

/// <summary>The client of a <see cref="FeedWorld"/>: holds every frame against what is committed and what it has.</summary>
/// <param name="known">What the node knew as the newest event when the client came.</param>
internal sealed class WorldClient(WorldLog log, Cursor? given, Cursor? known, bool nodeKnowsHead)
{
    private readonly long _futureBeyond = log.Count;

    // A reader from now on that came before the node knew anything starts at the lowest of what it heard until the log
    // told, or until it found the log away.
    private Cursor? _latestStart = nodeKnowsHead ? new Cursor(log.EpochNow, log.Count) : known;

    public Cursor? Cursor { get; private set; } = given;

    public void NodeLearned(string epoch, long position)
    {
        if (_latestStart is not { } latest || latest.Epoch != epoch || position < latest.Position)
        {
            _latestStart = new Cursor(epoch, position);
        }
    }

    public void Ready(ReadyFrame ready)
    {
        var cursor = Contracts.Cursor.TryParse(ready.Cursor, out var told) ? told : (Cursor?)null;
        if (ready.Resume == ResumeKinds.Reset)
        {
            Reset(ready.Reason!, cursor!.Value);
        }
        else if (Cursor is not { } given)
        {
            Start(cursor);
        }
        else if (given.IsOldest && ready.Resume == ResumeKinds.Live)
        {
            Cursor = cursor;
        }
        else
        {
            Check(cursor == given, $"ready says {cursor}, the client said {given}");
        }
    }

    public void Live(Cursor cursor)
    {
        if (Cursor is null)
        {
            Start(cursor);
        }
        else if (Cursor.Value.IsOldest)
        {
            Cursor = cursor;
        }

        Check(cursor == Cursor, $"live at {cursor}, the client is at {Cursor}");
    }

    private void Start(Contracts.Cursor? cursor)
    {
        Check(
            cursor is not { } start || _latestStart is not { } latest || start.Epoch != latest.Epoch || start.Position <= latest.Position,
            $"must start at {_latestStart} or before, starts at {cursor}");
        Check(
            cursor is not { } from || known is not { } old || from.Epoch != old.Epoch || from.Position >= old.Position,
            $"starts at {cursor}, but the node knew of {known} when it came: that is not from now on");
        Cursor = cursor;
    }

    public void Receive(Step step)
    {
        if (Cursor is null)
        {
            Start(step.After);
        }

        Check(step.After == Cursor, $"events after {step.After}, the client is at {Cursor}");
        Check(
            Cursor is { IsOldest: true } ? step.Cursor.Epoch != log.EpochNow || step.First <= log.Trimmed + 1 : step.First == Cursor!.Value.Position + 1,
            $"{step.First} follows {Cursor}");
        Check(step.Cursor == new Contracts.Cursor(step.Cursor.Epoch, step.First + step.Bodies.Count - 1), "the cursor is the last event's");
        Check(Cursor is { IsOldest: true } || step.Cursor.Epoch == Cursor!.Value.Epoch, "the epoch changed silently");
        for (var i = 0; i < step.Bodies.Count; i++)
        {
            Check(log.Holds(step.Cursor.Epoch!, step.First + i, step.Bodies[i].Span), $"{step.First + i} is not what is committed");
        }

        Cursor = step.Cursor;
    }

    public void Reset(string reason, Contracts.Cursor cursor)
    {
        var justified = Cursor is not { } client || reason switch
        {
            _ when client.IsOldest => false,
            ResetReasons.Epoch => client.Epoch != log.EpochNow,
            ResetReasons.Expired => client.Epoch != log.EpochNow || client.Position < log.Trimmed,
            ResetReasons.Future => client.Epoch != log.EpochNow || client.Position > _futureBeyond,
            _ => false,
        };
        Check(justified, $"reset {reason} of {Cursor}, but the log is {log.EpochNow}_{log.Trimmed}..{log.Count}");
        Check(log.Knows(cursor.Epoch!), "reset to no history");
        Cursor = cursor;
    }

    public static void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException(what);
        }
    }
}

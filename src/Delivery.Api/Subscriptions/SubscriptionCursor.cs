using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Where one reader stands, and what it is to be sent next. Pure; one thread at a time. Within an epoch a reader gets
/// exactly previous + 1; whatever else happens it is told by a reset, which is judged only by a head that was read from
/// the log after the reader's cursor arrived (PROTOCOL.md, "Cursors", "Server frames").
/// </summary>
internal sealed class SubscriptionCursor
{
    private readonly long _arrived;
    private readonly Cursor? _now;
    private Cursor? _at;
    private Cursor? _told;
    private bool _resolved;
    private bool _live;

    /// <summary>A reader that gave a cursor, or none: from now on.</summary>
    /// <param name="arrived">Tick of its arrival.</param>
    public SubscriptionCursor(Cursor? given, FeedTail feed, long arrived)
        : this(feed, arrived)
    {
        (_at, _told, _resolved) = (given, given, true);
    }

    private SubscriptionCursor(FeedTail feed, long arrived)
    {
        ArgumentNullException.ThrowIfNull(feed);
        _arrived = arrived;

        // What the node knows of, by log or bus, was committed before this reader came.
        _now = feed.History is null ? null : new Cursor(feed.Epoch, feed.Head);
    }

    /// <summary>The cursor the client knows of: its own or the last it was told; null for none.</summary>
    public Cursor? Told => _told;

    /// <summary>The newest cursor that this stream's history is known to have: sent, or the reader's own found good. Null for none.</summary>
    public Cursor? Vouched { get; private set; }

    /// <summary>A reader that goes on where its client id's last ack is, which is yet to be looked up.</summary>
    public static SubscriptionCursor OfClient(FeedTail feed, long arrived) => new(feed, arrived);

    /// <summary>Tells the last ack of the reader's client id; none: from now on.</summary>
    public void Resolve(Cursor? ack) => (_at, _resolved) = (ack, true);

    /// <summary>What <see cref="Next"/> would say were the log there; nothing counts as sent.</summary>
    public Step Peek(FeedTail feed) => Judge(feed, logAway: false);

    /// <summary>The first frame, by what is known at this moment.</summary>
    /// <param name="logAway">The log cannot be read at the moment.</param>
    public ReadyFrame Ready(FeedTail feed, bool logAway, IReadOnlyList<string> degraded, int heartbeat)
    {
        ArgumentNullException.ThrowIfNull(feed);
        var step = Judge(feed, logAway);
        if (step.Kind is StepKind.Live or StepKind.Reset)
        {
            Tell(step);
        }
        else
        {
            _told ??= _resolved ? StartOf(feed, logAway) : null;
        }

        return new ReadyFrame
        {
            Cursor = _told?.ToString(),
            Head = feed.HeadKnown ? new Cursor(feed.Epoch, feed.Head).ToString() : null,
            Resume = step.Kind switch
            {
                StepKind.Live => ResumeKinds.Live,
                StepKind.Reset => ResumeKinds.Reset,
                _ => ResumeKinds.Replaying,
            },
            Reason = step.Reason,
            Degraded = degraded,
            Heartbeat = heartbeat,
        };
    }

    /// <summary>What to do next; events, live and reset count as sent.</summary>
    public Step Next(FeedTail feed, bool logAway, int limit, long maxBytes)
    {
        ArgumentNullException.ThrowIfNull(feed);
        var step = Judge(feed, logAway);
        return step.Kind switch
        {
            StepKind.Events => Advance(step.Cursor, feed.Read(step.Cursor.Position, limit, maxBytes)),
            StepKind.Live or StepKind.Reset => Tell(step),
            _ => step,
        };
    }

    /// <summary>Takes in what the log answered to <see cref="StepKind.ReadLog"/>; the feed knows its head already.</summary>
    /// <returns>Events, or <see cref="StepKind.Wait"/> where the answer did not lead on: ask <see cref="Next"/> again.</returns>
    public Step Take(FeedTail feed, Cursor asked, LogPage page)
    {
        ArgumentNullException.ThrowIfNull(feed);
        ArgumentNullException.ThrowIfNull(page);
        var history = new History(page.Head.Generation, page.Head.Incarnation);
        if (feed.History != history || feed.Epoch != asked.Epoch || StartOf(feed, logAway: false) != asked)
        {
            return new Step(StepKind.Wait);
        }

        var follows = page.Events is [{ Position: var first }, ..] && first == asked.Position + 1
            && page.Events[^1].Position is var last && last == asked.Position + page.Events.Count && last <= feed.Head;
        return follows ? Advance(asked, page.Bodies()) : new Step(StepKind.Wait);
    }

    private Step Judge(FeedTail feed, bool logAway)
    {
        if (!_resolved)
        {
            return new Step(StepKind.NeedStart);
        }

        if (StartOf(feed, logAway) is not { } at)
        {
            return new Step(StepKind.NeedHead);
        }

        if (at.Epoch != feed.Epoch)
        {
            return Discontinue(feed, ResetReasons.Epoch);
        }

        if (feed.HoldsAfter(at.Position))
        {
            return new Step(StepKind.Events, at);
        }

        if (at.Position > feed.Head)
        {
            return Discontinue(feed, ResetReasons.Future);
        }

        return feed.HeadKnown ? AtOrBehindHead(feed, at) : new Step(StepKind.NeedHead);
    }

    private Step AtOrBehindHead(FeedTail feed, Cursor at)
    {
        if (at.Position == feed.Head)
        {
            return new Step(_live ? StepKind.Wait : StepKind.Live, at);
        }

        return at.Position < feed.Trimmed ? Discontinue(feed, ResetReasons.Expired) : new Step(StepKind.ReadLog, at);
    }

    // What the node knew before the cursor came may be older than the cursor.
    private Step Discontinue(FeedTail feed, string reason) => feed.AsOf > _arrived
        ? new Step(StepKind.Reset, new Cursor(feed.Epoch, feed.Trimmed)) { Reason = reason }
        : new Step(StepKind.NeedHead);

    /// <summary>Where the reader stands; a start that was not told to anyone yet follows what the node learns.</summary>
    private Cursor? StartOf(FeedTail feed, bool logAway)
    {
        if (_at is { IsOldest: false })
        {
            return _at;
        }

        if (_at is { IsOldest: true })
        {
            return feed.HeadKnown ? new Cursor(feed.Epoch, feed.Trimmed) : null;
        }

        if (_now is null && (feed.HeadKnown || logAway) && feed.FirstSeen is { } seen)
        {
            _at = new Cursor(feed.Epoch, seen);
        }
        else
        {
            _at = _now;
        }

        return _at;
    }

    private Step Tell(Step step)
    {
        (_at, _told, Vouched) = (step.Cursor, step.Cursor, step.Cursor);
        _live = step.Kind == StepKind.Live;
        return step;
    }

    private Step Advance(Cursor before, IReadOnlyList<ReadOnlyMemory<byte>> bodies)
    {
        var cursor = before with { Position = before.Position + bodies.Count };
        var step = new Step(StepKind.Events, cursor) { After = _told ?? before, First = before.Position + 1, Bodies = bodies };
        (_at, _told, Vouched) = (cursor, cursor, cursor);
        return step;
    }
}

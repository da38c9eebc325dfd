using Pipeline.Contracts;
using Pipeline.Delivery.Api;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

/// <summary>
/// A log, a lossy bus, a node and one client, all in memory and driven step by step, so that any interleaving can be
/// played. Every frame is checked against what is committed as it arrives.
/// </summary>
internal sealed class FeedWorld
{
    private readonly WorldLog _log = new();
    private WorldClient _client;
    private readonly List<(History History, long First, List<byte[]> Bodies)> _bus = [];
    private readonly List<(StreamHead Head, long Began)> _headReads = [];
    private (Cursor Asked, LogPage Page, long Began)? _logRead;
    private (Cursor Asked, LogPage Page)? _answer;
    private FeedTail _feed = new(WorldLog.Stream);
    private SubscriptionCursor _subscription;
    private FeedBounds _bounds = new(5, 200);
    private long _tick;
    private bool _logAway;
    private bool _startSettled;

    public FeedWorld()
    {
        _client = new WorldClient(_log, null, null, nodeKnowsHead: false);
        _subscription = Connect(null);
    }

    /// <summary>Every kind of thing that can happen; <paramref name="choice"/> picks among its cases.</summary>
    public void Play(int what, int choice)
    {
        switch (what)
        {
            case 0 or 1: Append(1 + (choice % 4), tooLarge: choice % 11 == 0); break;
            case 2 or 3: DeliverPage(choice, again: false); break;
            case 4: DeliverPage(choice, again: true); break;
            case 5: Remove(_bus, choice); break;
            case 6: BeginHeadRead(); break;
            case 7: FinishHeadRead(choice); break;
            case 8: Remove(_headReads, choice); break;
            case 9: _log.Trim(choice); break;
            case 10 when choice % 3 == 0: _log.ChangeHistory(choice); break;
            case 11: _logAway = choice % 2 == 0; break;
            case 12: _feed.Trim(_bounds = new FeedBounds(choice % 7, 20 + choice)); break;
            case 13: _subscription = Connect(choice % 5 == 0 ? null : _client.Cursor, newNode: choice % 2 == 0); break;
            case 14 when choice % 4 == 0: _subscription = Connect(Cursor.Oldest); break;
            case 15 when choice % 4 == 0: ConnectFromTheFuture(choice); break;
            case 16: FinishLogRead(); break;
            case > 16: StepOnce(); break;
        }
    }

    /// <summary>All faults end; returns once the client has nothing more to get, and checks that it has everything.</summary>
    public void Heal()
    {
        _logAway = false;
        _headReads.Clear();
        BeginHeadRead();
        FinishHeadRead(0);
        for (var step = 0; StepOnce() != StepKind.Wait; step++)
        {
            WorldClient.Check(step < 1_000, "the client never caught up");
            FinishLogRead();
            if (_headReads.Count > 0)
            {
                FinishHeadRead(0);
            }
        }

        WorldClient.Check(_client.Cursor == new Cursor(_log.EpochNow, _log.Count), $"the client ended at {_client.Cursor}, the log at {_log.EpochNow}_{_log.Count}");
    }

    private void Append(int count, bool tooLarge)
    {
        var first = _log.Count + 1L;
        var bodies = _log.Append(count);
        if (tooLarge)
        {
            _bus.AddRange(bodies.Select((_, i) => (_log.History, first + i, new List<byte[]>())));
            return;
        }

        _bus.Add((_log.History, first, bodies));
    }

    private void DeliverPage(int choice, bool again)
    {
        if (_bus.Count == 0)
        {
            return;
        }

        var page = _bus[choice % _bus.Count];
        var message = page.Bodies.SelectMany(body => body).ToArray();
        var offset = 0;
        var slices = page.Bodies.Select(body =>
        {
            offset += body.Length;
            return (ReadOnlyMemory<byte>)message.AsMemory(offset - body.Length, body.Length);
        }).ToList();
        Learned(page.History, page.First - 1);
        _feed.Offer(page.History, page.First, slices, _bounds, ++_tick);
        Array.Clear(message);
        WorldClient.Check(_feed.Count <= _bounds.Events && _feed.Bytes <= _bounds.Bytes, "the tail exceeds its bounds");
        if (!again)
        {
            _bus.Remove(page);
        }
    }

    private void BeginHeadRead()
    {
        if (!_logAway)
        {
            _headReads.Add((_log.Head, ++_tick));
        }
    }

    private void FinishHeadRead(int choice)
    {
        if (_headReads.Count > 0)
        {
            var read = _headReads[choice % _headReads.Count];
            _headReads.Remove(read);
            Learned(new History(read.Head.Generation, read.Head.Incarnation), read.Head.Head);
            _feed.Announce(read.Head, read.Began, ++_tick);
        }
    }

    private void Learned(History history, long position)
    {
        if (!_feed.HeadKnown && !_startSettled)
        {
            _client.NodeLearned(WorldLog.EpochOf(history), position);
        }
    }

    private SubscriptionCursor Connect(Cursor? given, bool newNode = false)
    {
        if (newNode)
        {
            _feed = new FeedTail(WorldLog.Stream);
            _headReads.Clear();
        }

        (_logRead, _answer) = (null, null);
        Cursor? known = _feed.History is null ? null : new Cursor(_feed.Epoch, _feed.Head);
        _client = new WorldClient(_log, given, known, _feed.HeadKnown);
        _subscription = new SubscriptionCursor(given, _feed, ++_tick);
        _startSettled = known is not null;
        _client.Ready(_subscription.Ready(_feed, _logAway, [], 15));
        return _subscription;
    }

    private void ConnectFromTheFuture(int choice) =>
        _subscription = Connect(new Cursor(_log.EpochNow, _log.Count + 1 + (choice % 3)));

    private StepKind StepOnce()
    {
        _startSettled |= _logAway && _feed.FirstSeen is not null;
        if (TakeFrame())
        {
            return StepKind.Events;
        }

        var step = _subscription.Next(_feed, _logAway, limit: 3, maxBytes: 60);
        switch (step.Kind)
        {
            case StepKind.NeedHead:
                BeginHeadRead();
                break;
            case StepKind.ReadLog when !_logAway:
                _logRead = (step.Cursor, _log.Read(step.Cursor.Position), ++_tick);
                break;
            case StepKind.Live:
                _client.Live(step.Cursor);
                break;
            case StepKind.Reset:
                _client.Reset(step.Reason!, step.Cursor);
                break;
            case StepKind.Events:
                _client.Receive(step);
                break;
        }

        return step.Kind;
    }

    private void FinishLogRead()
    {
        if (_logRead is not { } read)
        {
            return;
        }

        _logRead = null;
        Learned(new History(read.Page.Head.Generation, read.Page.Head.Incarnation), read.Page.Head.Head);
        _feed.Announce(read.Page.Head, read.Began, ++_tick);
        _answer = (read.Asked, read.Page);
    }

    /// <summary>What the log answered comes frame by frame; anything may happen between two.</summary>
    private bool TakeFrame()
    {
        if (_answer is not { } answer)
        {
            return false;
        }

        var (frame, left) = answer.Page.Cut(limit: 3, maxBytes: 60);
        var step = _subscription.Take(_feed, answer.Asked, frame);
        var isTaken = step.Kind == StepKind.Events;
        _answer = isTaken && left is not null ? (step.Cursor, left) : null;
        if (isTaken)
        {
            _client.Receive(step);
        }

        return isTaken;
    }

    private static void Remove<T>(List<T> list, int choice)
    {
        if (list.Count > 0)
        {
            list.RemoveAt(choice % list.Count);
        }
    }
}

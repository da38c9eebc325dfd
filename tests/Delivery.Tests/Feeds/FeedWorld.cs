using System.Text;
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
    public static readonly StreamKey Stream = StreamKey.Of("t", "u");

    private readonly Dictionary<string, List<byte[]>> _committed = [];
    private readonly List<(History History, long First, List<byte[]> Bodies)> _bus = [];
    private readonly List<(StreamHead Head, long Began)> _headReads = [];
    private (Cursor Asked, LogPage Page, long Began)? _logRead;
    private FeedTail _feed = new(Stream);
    private SubscriptionCursor _subscription;
    private Cursor? _client;
    private Cursor? _latestStart;
    private History _history = new(1, 1);
    private FeedBounds _bounds = new(5, 200);
    private long _trimmed;
    private long _futureBeyond;
    private long _tick;
    private int _serial;
    private bool _logAway;
    private bool _startSettled;

    public FeedWorld()
    {
        _committed[EpochNow] = [];
        _subscription = Connect(null);
    }

    private string EpochNow => Epoch.Of(_history.Generation, Stream, _history.Incarnation);

    private List<byte[]> Log => _committed[EpochNow];

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
            case 9: _trimmed += choice % (Log.Count - _trimmed + 1); break;
            case 10 when choice % 3 == 0: ChangeHistory(choice); break;
            case 11: _logAway = choice % 2 == 0; break;
            case 12: _feed.Trim(_bounds = new FeedBounds(choice % 7, 20 + choice)); break;
            case 13: _subscription = Connect(choice % 5 == 0 ? null : _client, newNode: choice % 2 == 0); break;
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
            Check(step < 1_000, "the client never caught up");
            FinishLogRead();
            if (_headReads.Count > 0)
            {
                FinishHeadRead(0);
            }
        }

        Check(_client == new Cursor(EpochNow, Log.Count), $"the client ended at {_client}, the log at {EpochNow}_{Log.Count}");
    }

    private void Append(int count, bool tooLarge)
    {
        var first = Log.Count + 1L;
        var bodies = Enumerable.Range(0, count).Select(_ => Encoding.UTF8.GetBytes($"{{\"n\":{++_serial}}}")).ToList();
        Log.AddRange(bodies);
        if (tooLarge)
        {
            _bus.AddRange(bodies.Select((_, i) => (_history, first + i, new List<byte[]>())));
            return;
        }

        _bus.Add((_history, first, bodies));
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
        Check(_feed.Count <= _bounds.Events && _feed.Bytes <= _bounds.Bytes, "the tail exceeds its bounds");
        if (!again)
        {
            _bus.Remove(page);
        }
    }

    private void BeginHeadRead()
    {
        if (!_logAway)
        {
            _headReads.Add((HeadNow(), ++_tick));
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

    // A reader from now on that came before the log told starts at the lowest of what the node heard until
    // it did, or until the node found the log away.
    private void Learned(History history, long position)
    {
        var epoch = Epoch.Of(history.Generation, Stream, history.Incarnation);
        if (!_feed.HeadKnown && !_startSettled && (_latestStart is not { } latest || latest.Epoch != epoch || position < latest.Position))
        {
            _latestStart = new Cursor(epoch, position);
        }
    }

    private StreamHead HeadNow() => new(_history.Generation, _history.Incarnation, Log.Count, _trimmed);

    // An erasure empties the stream; a restore keeps a prefix and goes on differently.
    private void ChangeHistory(int choice)
    {
        var kept = choice % 2 == 0 ? [] : Log.Take(choice % (Log.Count + 1)).ToList();
        _history = choice % 2 == 0
            ? _history with { Incarnation = _history.Incarnation + 1 }
            : new History(_history.Generation + 1, Math.Max(1, _history.Incarnation - (choice % 3)));
        _committed[EpochNow] = kept;
        _trimmed = Math.Min(_trimmed, kept.Count);
    }

    private SubscriptionCursor Connect(Cursor? given, bool newNode = false)
    {
        if (newNode)
        {
            _feed = new FeedTail(Stream);
            _headReads.Clear();
        }

        _logRead = null;
        _client = given;
        _futureBeyond = Log.Count;
        _latestStart = _feed.HeadKnown ? new Cursor(EpochNow, Log.Count) : null;
        _subscription = new SubscriptionCursor(given, _feed, ++_tick);
        _startSettled = _logAway && _feed.FirstSeen is not null;
        var ready = _subscription.Ready(_feed, _logAway, [], 15);
        var cursor = Cursor.TryParse(ready.Cursor, out var told) ? told : (Cursor?)null;
        if (ready.Resume == ResumeKinds.Reset)
        {
            Reset(ready.Reason!, cursor!.Value);
        }
        else if (given is null)
        {
            Start(cursor);
        }
        else if (given.Value.IsOldest && ready.Resume == ResumeKinds.Live)
        {
            _client = cursor;
        }
        else
        {
            Check(cursor == given, $"ready says {cursor}, the client said {given}");
        }

        return _subscription;
    }

    private void ConnectFromTheFuture(int choice) =>
        _subscription = Connect(new Cursor(EpochNow, Log.Count + 1 + (choice % 3)));

    private StepKind StepOnce()
    {
        _startSettled |= _logAway && _feed.FirstSeen is not null;
        var step = _subscription.Next(_feed, _logAway, limit: 3, maxBytes: 60);
        switch (step.Kind)
        {
            case StepKind.NeedHead:
                BeginHeadRead();
                break;
            case StepKind.ReadLog when !_logAway:
                _logRead = (step.Cursor, ReadLog(step.Cursor.Position), ++_tick);
                break;
            case StepKind.Live:
                if (_client is null or { IsOldest: true })
                {
                    Start(_client is null ? step.Cursor : null);
                    _client = step.Cursor;
                }

                Check(step.Cursor == _client, $"live at {step.Cursor}, the client is at {_client}");
                break;
            case StepKind.Reset:
                Reset(step.Reason!, step.Cursor);
                break;
            case StepKind.Events:
                Receive(step);
                break;
        }

        return step.Kind;
    }

    private LogPage ReadLog(long after)
    {
        var events = Log
            .Select((body, i) => new LogEvent(i + 1, body))
            .Where(e => e.Position > Math.Max(after, _trimmed))
            .Take(2)
            .ToList();
        return new LogPage(HeadNow(), events, events.Count == 0 ? after : events[^1].Position);
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
        var step = _subscription.Take(_feed, read.Asked, read.Page);
        if (step.Kind == StepKind.Events)
        {
            Receive(step);
        }
    }

    private void Start(Cursor? cursor)
    {
        Check(
            cursor is not { } start || _latestStart is not { } latest || start.Epoch != latest.Epoch || start.Position <= latest.Position,
            $"must start at {_latestStart} or before, starts at {cursor}");
        _client = cursor;
    }

    private void Receive(Step step)
    {
        if (_client is null)
        {
            Start(step.After);
        }

        Check(step.After == _client, $"events after {step.After}, the client is at {_client}");
        Check(
            _client is { IsOldest: true } ? step.Cursor.Epoch != EpochNow || step.First <= _trimmed + 1 : step.First == _client!.Value.Position + 1,
            $"{step.First} follows {_client}");
        Check(step.Cursor == new Cursor(step.Cursor.Epoch, step.First + step.Bodies.Count - 1), "the cursor is the last event's");
        Check(_client is { IsOldest: true } || step.Cursor.Epoch == _client!.Value.Epoch, "the epoch changed silently");
        for (var i = 0; i < step.Bodies.Count; i++)
        {
            var committed = _committed[step.Cursor.Epoch!][(int)step.First - 1 + i];
            Check(step.Bodies[i].Span.SequenceEqual(committed), $"{step.First + i} is not what is committed");
        }

        _client = step.Cursor;
    }

    private void Reset(string reason, Cursor cursor)
    {
        var justified = _client is not { } client || reason switch
        {
            _ when client.IsOldest => false,
            ResetReasons.Epoch => client.Epoch != EpochNow,
            ResetReasons.Expired => client.Epoch != EpochNow || client.Position < _trimmed,
            ResetReasons.Future => client.Epoch != EpochNow || client.Position > _futureBeyond,
            _ => false,
        };
        Check(justified, $"reset {reason} of {_client}, but the log is {EpochNow}_{_trimmed}..{Log.Count}");
        Check(_committed.ContainsKey(cursor.Epoch!), "reset to no history");
        _client = cursor;
    }

    private static void Remove<T>(List<T> list, int choice)
    {
        if (list.Count > 0)
        {
            list.RemoveAt(choice % list.Count);
        }
    }

    private static void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException(what);
        }
    }
}

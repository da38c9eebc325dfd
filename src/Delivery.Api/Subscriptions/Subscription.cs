using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// One connection's reading of its stream: it holds a cursor and pulls, from the feed's tail what that holds, from the log
/// what it does not. Used by one thread at a time, but for acks; at most one read of the log is under way.
/// </summary>
internal sealed class Subscription : IAsyncDisposable
{
    // The log takes about as long to begin an answer as to give a frame of it: who may read ahead asks for a few at once.
    private const int BytesAhead = 512 * 1024;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly SubscriptionServices _services;
    private readonly Feed _feed;
    private readonly SubscriptionCursor _cursor;
    private readonly Connection _connection;
    private readonly ClientAcks? _acks;
    private (bool Known, Cursor? Ack) _start;
    private CancellationTokenSource? _end;
    private Task _reading = Task.CompletedTask;
    private (Cursor Asked, LogPage Page)? _answer;
    private volatile bool _busy;
    private bool _held;
    private bool _ahead;
    private long _bodyBytes = 512;
    private int _failures;
    private long _retryAt;

    /// <param name="given">The cursor the client gave; without one it goes on at its client id's last ack.</param>
    /// <param name="cursorIsAck">Whether a given cursor counts as the client's ack, once it was found good.</param>
    public Subscription(SubscriptionServices services, Connection connection, Cursor? given, bool cursorIsAck)
    {
        var (stream, client) = (connection.Caller.Stream, connection.Client);
        (_services, _connection) = (services, connection);
        _feed = services.Hub.Enter(stream, connection.Signal);
        var arrived = services.Hub.Tick();
        _cursor = _feed.Read(tail => given is null && client is not null
            ? SubscriptionCursor.OfClient(tail, arrived)
            : new SubscriptionCursor(given, tail, arrived));
        _acks = client is null ? null : new ClientAcks(services.Acks, stream, client, cursorIsAck ? given : null);
    }

    /// <summary>The cursor the client knows of; null for none.</summary>
    public Cursor? Told => _cursor.Told;

    /// <summary>When to poll again though nothing pulsed, as a timestamp.</summary>
    public long RetryAt => _held ? _retryAt : long.MaxValue;

    /// <summary>Whether the latest read of the log on behalf of this reader failed.</summary>
    public bool IsLogUnread { get; private set; }

    /// <summary>Cursor of the stream's newest event as far as this node knows; null while the log has not told.</summary>
    public Cursor? Head => _feed.Read(tail => tail.HeadKnown ? new Cursor(tail.Epoch, tail.Head) : (Cursor?)null);

    /// <summary>Finds out what the first frame should say. False: it is under way, wait for the signal.</summary>
    public bool TrySettle()
    {
        if (_services.Degradation.IsLogAway)
        {
            return true;
        }

        if (_busy)
        {
            return false;
        }

        TakeStart();
        var step = _feed.Read(_cursor.Peek);
        if (step.Kind is not (StepKind.NeedStart or StepKind.NeedHead))
        {
            return true;
        }

        Do(step, 1, 1);
        return false;
    }

    public ReadyFrame Ready(int heartbeat)
    {
        var degraded = _services.Degradation.Current;
        var frame = _feed.Read(tail => _cursor.Ready(tail, degraded.Contains(Degradation.Log), degraded, heartbeat));
        Settle(frame.Resume == ResumeKinds.Live, frame.Reason);
        return frame;
    }

    /// <summary>What to send now: events, live or reset; or wait for the signal.</summary>
    public Step Poll(int limit, int maxBytes)
    {
        _held = false;
        if (_busy)
        {
            return new Step(StepKind.Wait);
        }

        TakeStart();
        var step = TakeAnswer(limit, maxBytes);
        if (_answer is null)
        {
            EndAhead();
        }

        if (step.Kind == StepKind.Wait)
        {
            var logAway = _services.Degradation.IsLogAway;
            step = _feed.Read(
                (_cursor, logAway, limit, maxBytes), static (tail, ask) => ask._cursor.Next(tail, ask.logAway, ask.limit, ask.maxBytes));
            if (step.Kind == StepKind.Events)
            {
                _services.Metrics.Pulled(fromTail: true);
            }
        }

        Settle(step.Kind is StepKind.Events or StepKind.Live, step.Reason);
        return Do(step, limit, maxBytes);
    }

    /// <summary>
    /// Begins to read what <see cref="Poll"/> will ask for next, a few frames of it, if that is in the log and few do so:
    /// called before what it returned is sent.
    /// </summary>
    public void ReadAhead(int limit, int maxBytes)
    {
        var step = _answer is null ? _feed.Read(_cursor.Peek) : new Step(StepKind.Wait);
        if (step.Kind == StepKind.ReadLog && _services.Replay.TryGoAhead())
        {
            _ahead = true;
            Do(step, limit, maxBytes, frames: Math.Max(1, BytesAhead / maxBytes));
        }
    }

    public async ValueTask DisposeAsync()
    {
        _services.Hub.Leave(_feed, _connection.Signal);
        if (_end is not null)
        {
            await _end.CancelAsync();
        }

        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        EndAhead();
        _end?.Dispose();
    }

    /// <summary>Takes the client's ack, if it is of something that this connection vouched for. Thread-safe.</summary>
    public void Ack(Cursor cursor) => _acks?.Take(cursor);

    private Step Do(Step step, int limit, int maxBytes, int frames = 1)
    {
        switch (step.Kind)
        {
            case StepKind.NeedHead:
                _services.Hub.WantHead(_feed);
                return new Step(StepKind.Wait);
            case StepKind.NeedStart:
                Begin(LookUpStartAsync);
                return new Step(StepKind.Wait);
            case StepKind.ReadLog:
                Begin(token => ReadAsync(step.Cursor, limit, maxBytes, frames, token));
                return new Step(StepKind.Wait);
            default:
                return step;
        }
    }

    // While the log is away, only the poller asks it; its return wakes everyone.
    private void Begin(Func<CancellationToken, Task> read)
    {
        if (_services.Degradation.IsLogAway)
        {
            return;
        }

        _held = _retryAt > _services.Time.GetTimestamp();
        if (!_held)
        {
            _busy = true;
            _end ??= new CancellationTokenSource();
            _reading = RunAsync(read, _end.Token);
        }
    }

    private async Task RunAsync(Func<CancellationToken, Task> read, CancellationToken cancellationToken)
    {
        try
        {
            await read(cancellationToken);
        }
        finally
        {
            _busy = false;
            _connection.Signal.Pulse();
        }
    }

    private async Task ReadAsync(Cursor after, int limit, int maxBytes, int frames, CancellationToken cancellationToken)
    {
        long began = 0;
        var rows = (int)Math.Clamp(maxBytes / _bodyBytes, 1, limit) * frames;
        var page = await _services.Replay.ReadAsync(
            _feed.Stream, after.Position, rows, maxBytes * frames, () => began = _services.Hub.Tick(), cancellationToken);
        if (page is not null)
        {
            _feed.Announce(page, began, _services.Hub.Tick());
            _answer = (after, page);
            _bodyBytes = page.Events.Count > 0 ? Math.Max(1, page.Events.Sum(e => (long)e.Body.Length) / page.Events.Count) : _bodyBytes;
        }

        Ended(page is not null);
    }

    private async Task LookUpStartAsync(CancellationToken cancellationToken)
    {
        _start = await _services.Replay.ReadAckAsync(_feed.Stream, _connection.Client!, cancellationToken);
        Ended(_start.Known);
    }

    private void EndAhead()
    {
        if (_ahead)
        {
            _ahead = false;
            _services.Replay.EndAhead();
        }
    }

    private void TakeStart()
    {
        if (_start.Known)
        {
            _cursor.Resolve(_start.Ack);
            _start = default;
        }
    }

    private void Ended(bool succeeded)
    {
        IsLogUnread = !succeeded;
        _failures = succeeded ? 0 : _failures + 1;
        _retryAt = succeeded ? 0 : Later();
        if (!succeeded)
        {
            _services.Hub.WantHead(_feed);
        }
    }

    private Step TakeAnswer(int limit, int maxBytes)
    {
        if (_answer is not { } answer)
        {
            return new Step(StepKind.Wait);
        }

        var (frame, left) = answer.Page.Cut(limit, maxBytes);
        var step = _feed.Read(tail => _cursor.Take(tail, answer.Asked, frame));
        _answer = step.Kind == StepKind.Events && left is not null ? (step.Cursor, left) : null;
        if (step.Kind == StepKind.Events)
        {
            _services.Metrics.Pulled(fromTail: false);
        }
        else
        {
            // The log answered beside the point: what it said of the head decides, or it is asked again a little later.
            _failures++;
            _retryAt = Later();
        }

        return step;
    }

    private long Later()
    {
        var pause = TimeSpan.FromMilliseconds(50 << Math.Min(_failures, 6));
        return _services.Time.After((pause < LongestPause ? pause : LongestPause) * (0.5 + (Random.Shared.NextDouble() / 2)));
    }

    private void Settle(bool good, string? reset)
    {
        if (reset is not null)
        {
            _services.Metrics.Reset(reset);
        }

        if (good || reset is not null)
        {
            _acks?.Settle(_cursor.Vouched, isReset: reset is not null);
        }
    }
}

using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>Long-polled JSON pages (PROTOCOL.md, section 5.1), told as the frames that a connection would bring.</summary>
/// <param name="mostEvents">Of one page.</param>
internal sealed class PollConnection(ServiceHttp http, Opening opening, int mostEvents, TimeProvider time, CancellationToken life) : IConnection
{
    private const int WaitSeconds = 25;

    /// <summary>Twice this is more than an answer is held back for.</summary>
    private const int Heartbeat = 15;

    /// <summary>An empty answer that comes at once would come at once again.</summary>
    private static readonly TimeSpan Apart = TimeSpan.FromSeconds(1);

    private readonly Queue<Frame> _frames = [];
    private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(life);
    private Task _receiving = Task.CompletedTask;
    private string _token = opening.Token;
    private string? _after = opening.After;
    private IReadOnlyList<string>? _degraded;
    private long _askedAt;
    private bool _isIdle;

    // Each is a request of its own here.
    public TimeSpan AckInterval => TimeSpan.FromSeconds(10);

    public async Task<Frame> ReceiveAsync()
    {
        while (_frames.Count == 0)
        {
            var receiving = PollAsync(_end.Token);
            _receiving = receiving;
            await receiving;
        }

        return _frames.Dequeue();
    }

    public Task AckAsync(string cursor, CancellationToken cancellationToken) =>
        http.AckAsync(Volatile.Read(ref _token), cursor, cancellationToken);

    public Task<bool> RenewAsync(string token, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _token, token);
        return Task.FromResult(true);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task PollAsync(CancellationToken cancellationToken)
    {
        if (_isIdle && Apart - time.GetElapsedTime(_askedAt) is { Ticks: > 0 } early)
        {
            await Task.Delay(early, time, cancellationToken);
        }

        // The first answer says where the reader stands: it is not waited for.
        _askedAt = time.GetTimestamp();
        var wait = _degraded is null ? 0 : WaitSeconds;
        using var response = await http.GetEventsAsync(
            ServiceHttp.Json, Volatile.Read(ref _token), http.EventsQuery(_after, mostEvents, wait), cancellationToken);
        Take(Frame.Read(await response.Content.ReadAsByteArrayAsync(cancellationToken)));
    }

    private void Take(Frame page)
    {
        var degraded = page.Degraded ?? [];
        if (_degraded is null)
        {
            // Whether it is live is told behind its events.
            var resume = page.Resume == ResumeKinds.Reset ? ResumeKinds.Reset : ResumeKinds.Replaying;
            _frames.Enqueue(page with { Type = FrameTypes.Ready, Resume = resume, Cursor = page.After, Heartbeat = Heartbeat });
        }
        else if (page.Resume == ResumeKinds.Reset)
        {
            _frames.Enqueue(page with { Type = FrameTypes.Reset, Cursor = page.After });
        }

        if (_degraded is not null && !_degraded.SequenceEqual(degraded))
        {
            _frames.Enqueue(new Frame { Type = FrameTypes.Status, Degraded = degraded });
        }

        if (page.Events is { Count: > 0 })
        {
            _frames.Enqueue(page with { Type = FrameTypes.Events });
        }

        if (page.Resume == ResumeKinds.Live || (page.Cursor is not null && page.Cursor == page.Head))
        {
            _frames.Enqueue(new Frame { Type = FrameTypes.Live, Cursor = page.Cursor });
        }

        _degraded = degraded;
        _after = page.Cursor ?? _after;
        _isIdle = page.Events is not { Count: > 0 };
    }
}

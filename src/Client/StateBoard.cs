using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>Puts together how reading stands, and tells each change. Written by one thread at a time.</summary>
internal sealed class StateBoard(Action<ClientState> changed)
{
    /// <summary>Not every event of a long replay is worth telling.</summary>
    private const int BehindStep = 100;

    private ClientState _state = new() { Status = ClientStatus.Closed };
    private Cursor? _head;
    private bool _isLive;

    public ClientState State => Volatile.Read(ref _state);

    public void Connecting(Transports transport) => Show(new ClientState
    {
        Status = ClientStatus.Connecting, Transport = transport,
    });

    public void Ready(string? head, IReadOnlyList<string> degraded)
    {
        _isLive = false;
        _head = Cursor.TryParse(head, out var cursor) ? cursor : null;
        ShowConnected(degraded, behind: null);
    }

    public void Degraded(IReadOnlyList<string> degraded) => ShowConnected(degraded, State.Behind);

    /// <summary>Events came.</summary>
    public void Received(Cursor at)
    {
        var behind = _head is { } head && head.Epoch == at.Epoch ? Math.Max(0, head.Position - at.Position) : (long?)null;
        if (!_isLive && (behind is null or 0 || State.Behind is null || State.Behind - behind >= BehindStep))
        {
            ShowConnected(State.Degraded, behind);
        }
    }

    /// <summary>The history is another one, whose head is not known.</summary>
    public void Restarted()
    {
        (_isLive, _head) = (false, null);
        ShowConnected(State.Degraded, behind: null);
    }

    public void Live()
    {
        _isLive = true;
        ShowConnected(State.Degraded, behind: 0);
    }

    public void Offline(string reason, DateTimeOffset retryAt, Transports transport) => Show(new ClientState
    {
        Status = ClientStatus.Offline, Reason = reason, RetryAt = retryAt, Transport = transport,
    });

    /// <param name="reason">One of <see cref="ClosedReasons"/>; null where reading ended as the application wished.</param>
    public void Closed(string? reason) => Show(new ClientState { Status = ClientStatus.Closed, Reason = reason });

    private void ShowConnected(IReadOnlyList<string> degraded, long? behind) => Show(State with
    {
        Status = degraded.Count > 0 ? ClientStatus.Degraded : _isLive ? ClientStatus.Live : ClientStatus.Replaying,
        Degraded = degraded,
        Behind = behind,
        RetryAt = null,
        Reason = null,
    });

    private void Show(ClientState next)
    {
        var last = State;
        next = next.Degraded.SequenceEqual(last.Degraded) ? next with { Degraded = last.Degraded } : next;
        if (next != last)
        {
            Volatile.Write(ref _state, next);
            changed(next);
        }
    }
}

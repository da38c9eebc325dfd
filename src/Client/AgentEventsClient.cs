using System.Runtime.CompilerServices;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>
/// Reads a user's agent events, and starts and cancels runs. Reading goes on through lost connections, restarts and blocked
/// WebSockets: each event comes once and in order, and a discontinuity is never silent (PROTOCOL.md). Thread-safe, but for the
/// enumeration of events, of which there is one at a time.
/// </summary>
public sealed class AgentEventsClient : IAsyncDisposable
{
    private readonly AgentEventsOptions _options;
    private readonly ServiceHttp _http;
    private readonly TokenSource _tokens;
    private readonly RunCommands _commands;
    private readonly TransportLadder _ladder;
    private readonly ReconnectPolicy _policy;
    private readonly StateBoard _board;
    private readonly Acks? _acks;
    private readonly CancellationTokenSource _disposal = new();
    private Task _reading = Task.CompletedTask;
    private string? _cursor;
    private int _isReading;
    private int _isDisposed;

    /// <summary>Nothing is sent before the first enumeration or command.</summary>
    /// <exception cref="ArgumentException">An option is wrong; the message names it.</exception>
    public AgentEventsClient(AgentEventsOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        _options = options;
        var jitter = new Jitter(options.Random);
        _http = new ServiceHttp(options.Url, options.Client, options.Handler, options.Time);
        _tokens = new TokenSource(options.Token, options.Time);
        _commands = new RunCommands(_http, _tokens, jitter, options.Time);
        _ladder = new TransportLadder(options.Transports, options.Time);
        _policy = new ReconnectPolicy(jitter, options.Time);
        _board = new StateBoard(state => StateChanged?.Invoke(state));
        _acks = options.Client is null ? null : new Acks();
    }

    /// <summary>
    /// Told of each new <see cref="State"/>, in order, by the thread that reads, which waits for it: be brief. What it throws ends the
    /// enumeration.
    /// </summary>
    public event Action<ClientState>? StateChanged;

    /// <summary>How reading stands.</summary>
    public ClientState State => _board.State;

    /// <summary>
    /// The cursor after the last processed event (PROTOCOL.md, section 2), and before that where reading started; null while
    /// that is not known.
    /// </summary>
    public string? Cursor => Volatile.Read(ref _cursor);

    /// <summary>
    /// The user's events, without end: each once and in order. The cursor moves on when the next one is asked for, that is, when the
    /// loop's body has completed. One that throws or breaks leaves it before the event, and enumerating again begins with that
    /// event. A type that the contracts do not know comes as <see cref="CustomAgentEvent"/>, and so does data that does not
    /// fit its type. <see cref="AgentEvent.Position"/> is set; <see cref="AgentEvent.Tenant"/>, <see cref="AgentEvent.User"/> and
    /// <see cref="AgentEvent.Attempt"/> are not on the wire and stay empty: the user is the token's.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another enumeration is under way.</exception>
    /// <exception cref="StreamResetException">The stream was reset, and <see cref="AgentEventsOptions.OnReset"/> is null.</exception>
    /// <exception cref="AgentEventsClosedException">Trying again would not help.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled, or the client disposed of.</exception>
    public async IAsyncEnumerable<AgentEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) == 1, this);
        if (Interlocked.Exchange(ref _isReading, 1) == 1)
        {
            throw new InvalidOperationException(
                "this client is being enumerated already; end that loop first, or create another client for a second reader");
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposal.Token);
        using var ahead = new ReadAhead(_options.ReadAheadEvents, _options.ReadAheadBytes);
        var reading = Task.CompletedTask;
        try
        {
            // Whatever thread the loop is bound to, reading is not.
            var prepared = Prepare(await StartAsync(stop.Token), ahead);
            reading = _reading = Task.Run(() => prepared.RunAsync(stop.Token), CancellationToken.None);
            while (true)
            {
                var item = await ahead.ReadAsync(stop.Token);
                if (item.Reset is { } reset)
                {
                    await TellAsync(reset, stop.Token);
                }

                if (item.Event is { } @event)
                {
                    yield return @event;
                }

                await MoveAsync(item.Cursor.ToString(), stop.Token);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading;
            Volatile.Write(ref _isReading, 0);
        }
    }

    /// <summary>
    /// Asks an agent to do something (PROTOCOL.md, section 10). Sent again, with the same key, while the service does not answer,
    /// a few times over some ten seconds.
    /// </summary>
    /// <param name="thread">The conversation, an id of 1 to 128 bytes.</param>
    /// <param name="input">What the agent shall do; not blank.</param>
    /// <param name="agent">Its name; null for the service's default.</param>
    /// <param name="key">
    /// Makes the request one: with the same key it is done once, however often it is sent, for 24 hours. Null: a fresh one.
    /// </param>
    /// <exception cref="CommandException">It was refused, or not answered.</exception>
    /// <exception cref="TokenUnavailableException">There is no token.</exception>
    public Task<RunAccepted> StartRunAsync(
        string thread, string input, string? agent = null, string? key = null, CancellationToken cancellationToken = default)
    {
        Limits.ThrowIfInvalidId(thread, nameof(thread));
        ArgumentException.ThrowIfNullOrWhiteSpace(input);
        if (key is not null)
        {
            Limits.ThrowIfInvalidId(key, nameof(key));
        }

        return _commands.StartAsync(thread, new StartRunBody(input, agent), key ?? $"{Guid.CreateVersion7():n}", cancellationToken);
    }

    /// <summary>
    /// Asks to cancel a run (PROTOCOL.md, section 10), from whatever device; its <see cref="AgentCancelled"/> tells when it has ended. One
    /// that has ended already stays as it is. Sent again as <see cref="StartRunAsync"/> is.
    /// </summary>
    /// <returns>The run as it is now.</returns>
    /// <exception cref="CommandException">The user has no such run, or there was no answer.</exception>
    /// <exception cref="TokenUnavailableException">There is no token.</exception>
    public Task<RunState> CancelAsync(string run, CancellationToken cancellationToken = default)
    {
        Limits.ThrowIfInvalidId(run, nameof(run));
        return _commands.CancelAsync(run, cancellationToken);
    }

    /// <summary>Ends the enumeration under way, if there is one, and waits until its connection is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1)
        {
            return;
        }

        await _disposal.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _tokens.Dispose();
        _http.Dispose();
    }

    private async ValueTask<string?> StartAsync(CancellationToken cancellationToken)
    {
        if (_cursor is null)
        {
            var stored = _options.After is null && _options.Store is { } store ? await store.LoadAsync(cancellationToken) : null;
            Volatile.Write(ref _cursor, _options.After ?? stored);
        }

        return _cursor;
    }

    private Reading Prepare(string? cursor, ReadAhead ahead) => new()
    {
        Open = OpenAsync,
        Continuity = new Continuity(Contracts.Cursor.TryParse(cursor, out var at) ? at : null),
        Ahead = ahead,
        Tokens = _tokens,
        Ladder = _ladder,
        Policy = _policy,
        Board = _board,
        Acks = _acks,
        Time = _options.Time,
    };

    private Task<IConnection> OpenAsync(Opening opening, CancellationToken life) => opening.Transport switch
    {
        Transports.WebSocket => WebSocketConnection.OpenAsync(_http, opening, _options.Time, life),
        Transports.Sse => SseConnection.OpenAsync(_http, opening, life),
        _ => Task.FromResult<IConnection>(new PollConnection(
            _http, opening, Math.Min(_options.ReadAheadEvents, Limits.PageEvents), _options.Time, life)),
    };

    private async ValueTask TellAsync(StreamReset reset, CancellationToken cancellationToken)
    {
        if (_options.OnReset is { } tell)
        {
            await tell(reset, cancellationToken);
            return;
        }

        // The exception tells it; were the cursor left, it would be told for ever.
        Volatile.Write(ref _cursor, reset.Cursor);
        throw new StreamResetException(reset);
    }

    private async ValueTask MoveAsync(string cursor, CancellationToken cancellationToken)
    {
        if (_options.Store is { } store)
        {
            await store.SaveAsync(cursor, cancellationToken);
        }

        Volatile.Write(ref _cursor, cursor);
        _acks?.Processed(cursor);
    }
}

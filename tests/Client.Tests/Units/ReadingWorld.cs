using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>A reading on a clock that stands still, whose connections the test answers.</summary>
internal sealed class ReadingWorld : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<FakeConnection> _connections = [];
    private readonly List<DateTimeOffset> _opened = [];
    private readonly TokenSource _tokens;
    private readonly ReadAhead _ahead;
    private readonly Reading _reading;
    private Task? _running;

    public ReadingWorld(string? after = "0", double jitter = 0, Transports transports = Transports.All, int readAhead = 1_000)
    {
        _tokens = new TokenSource(_ => ValueTask.FromResult(Token()), Time);
        _ahead = new ReadAhead(readAhead, int.MaxValue);
        Board = new StateBoard(States.Add);
        _reading = new Reading
        {
            Open = Open,
            Continuity = new Continuity(Cursor.TryParse(after, out var at) ? at : null),
            Ahead = _ahead,
            Tokens = _tokens,
            Ladder = new TransportLadder(transports, Time),
            Policy = new ReconnectPolicy(new Jitter(new FixedRandom(jitter)), Time),
            Board = Board,
            Acks = Acks,
            Time = Time,
        };
    }

    public FakeTimeProvider Time { get; } = new();

    public StateBoard Board { get; }

    public List<ClientState> States { get; } = [];

    public Acks Acks { get; } = new();

    /// <summary>What the provider answers.</summary>
    public Func<string> Token { get; set; } = () => "token";

    /// <summary>Why the next connections do not come about; null: they do.</summary>
    public Func<Opening, Ending?> Refusal { get; set; } = _ => null;

    /// <summary>Whether the connections take tokens in-band.</summary>
    public bool TakesTokens { get; set; } = true;

    /// <summary>When attempts began, by the clock.</summary>
    public IReadOnlyList<DateTimeOffset> Opened
    {
        get
        {
            lock (_opened)
            {
                return [.. _opened];
            }
        }
    }

    /// <summary>The connection of this number, from 1, once it is there; the clock runs meanwhile.</summary>
    public async Task<FakeConnection> ConnectionAsync(int number)
    {
        await UntilAsync($"connection {number} is there", () => Count() >= number);
        lock (_connections)
        {
            return _connections[number - 1];
        }
    }

    /// <summary>Waits while the clock runs, in steps. The first one begins the reading: by then the test has said how all answer.</summary>
    public Task UntilAsync(string condition, Func<bool> holds, double step = 0.05)
    {
        _running ??= Task.Run(() => _reading.RunAsync(_stop.Token));
        return Eventually.HoldsAsync(condition, () =>
        {
            if (holds())
            {
                return true;
            }

            Time.Advance(TimeSpan.FromSeconds(step));
            return false;
        });
    }

    /// <summary>Waits while the clock stands still.</summary>
    public static Task UntilNowAsync(string condition, Func<bool> holds) => Eventually.HoldsAsync(condition, holds);

    /// <summary>The positions of the next events, which are thereby processed.</summary>
    public async Task<List<long>> TakeAsync(int count)
    {
        var positions = new List<long>();
        while (positions.Count < count)
        {
            var item = await ItemAsync();
            Acks.Processed(item.Cursor.ToString());
            if (item.Event is { } e)
            {
                positions.Add(e.Position);
            }
        }

        return positions;
    }

    public Task<ReadItem> ItemAsync() => _ahead.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await (_running ?? Task.CompletedTask).WaitAsync(TimeSpan.FromSeconds(20));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _ahead.Dispose();
        _tokens.Dispose();
        _stop.Dispose();
    }

    private int Count()
    {
        lock (_connections)
        {
            return _connections.Count;
        }
    }

    private Task<IConnection> Open(Opening opening, CancellationToken life)
    {
        lock (_opened)
        {
            _opened.Add(Time.GetUtcNow());
        }

        if (Refusal(opening) is { } refusal)
        {
            throw new ConnectionEndedException(refusal);
        }

        var connection = new FakeConnection(opening, life) { TakesTokens = TakesTokens };
        lock (_connections)
        {
            _connections.Add(connection);
        }

        return Task.FromResult<IConnection>(connection);
    }
}

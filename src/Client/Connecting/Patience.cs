namespace Pipeline.Client;

/// <summary>Ends a connection that is silent for too long, or that is to be left. One waiter.</summary>
internal sealed class Patience : IDisposable
{
    private static readonly TimeSpan Handshake = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _source;
    private TimeSpan _bound = Handshake;
    private Ending? _ending;

    public Patience(TimeProvider time) => _source = new CancellationTokenSource(Handshake, time);

    /// <summary>Cancelled when the connection is to end.</summary>
    public CancellationToken Token => _source.Token;

    public bool IsOver => _source.IsCancellationRequested;

    /// <summary>Why it is over.</summary>
    public Ending Ending => Volatile.Read(ref _ending)
        ?? new Ending(Ending.Lost, $"nothing came for {_bound.TotalSeconds:0} s") { IsTheTransports = true };

    /// <summary>From now on silence of two heartbeats is too long.</summary>
    public void Expect(int heartbeatSeconds) => _bound = (TimeSpan.FromSeconds(heartbeatSeconds) * 2) + Margin;

    /// <summary>Waits for the other side from now on.</summary>
    public void Begin() => _source.CancelAfter(_bound);

    /// <summary>Something came: until the next <see cref="Begin"/> the other side is not waited for.</summary>
    public void Pause() => _source.CancelAfter(Timeout.InfiniteTimeSpan);

    /// <summary>Ends the connection in good order.</summary>
    public void Leave(string why)
    {
        Volatile.Write(ref _ending, new Ending(Ending.Left, why));
        _source.Cancel();
    }

    public void Dispose() => _source.Dispose();
}

using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Pipeline.Testing;

/// <summary>A direction of a connection: from who dialled, or back to it.</summary>
[Flags]
public enum Flow
{
    None = 0,
    Up = 1,
    Down = 2,
    Both = Up | Down,
}

/// <summary>
/// The network between two parties, with its faults. Bytes pass as they come until one of the methods says otherwise, and
/// <see cref="Heal"/> makes it sound again.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<ProxiedConnection, Task> _connections = [];
    private readonly Func<Func<Flow, ReadOnlySpan<byte>, bool>>? _inspect;
    private readonly Task _accepting;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Flow _held;
    private volatile bool _isCut;
    private long _delayTicks;
    private int _bytesPerSecond;
    private int _isDisposed;

    /// <param name="host">Where connections go.</param>
    /// <param name="port">Where connections go.</param>
    /// <param name="inspect">
    /// Makes the inspection of a connection, which sees all its bytes; what it does not let pass ends the connection.
    /// </param>
    public FaultProxy(string host, int port, Func<Func<Flow, ReadOnlySpan<byte>, bool>>? inspect = null)
    {
        (Host, TargetPort, _inspect) = (host, port, inspect);
        _listener = new TcpListener(IPAddress.Loopback, FreePort.Find());
        _listener.Start(backlog: 4_096);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Where new connections go.</summary>
    public string Host { get; private set; }

    /// <inheritdoc cref="Host"/>
    public int TargetPort { get; private set; }

    /// <summary>Where to dial, on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary><see cref="Port"/> for HTTP clients.</summary>
    public Uri Url => new($"http://127.0.0.1:{Port}");

    /// <summary>A connection string to PostgreSQL that goes through here.</summary>
    public string Behind(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = Port, SslMode = SslMode.Disable }.ConnectionString;

    /// <summary>Connections that are open on either side.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>How long bytes are under way, in either direction.</summary>
    public TimeSpan Delay
    {
        get => new(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>How many bytes pass in a second, in either direction; 0 for any number.</summary>
    public int BytesPerSecond
    {
        get => Volatile.Read(ref _bytesPerSecond);
        set => Volatile.Write(ref _bytesPerSecond, value);
    }

    /// <summary>New connections go there.</summary>
    public void Retarget(string host, int port) => (Host, TargetPort) = (host, port);

    /// <summary>
    /// Nothing passes in these directions and nothing is closed, on connections there are and on new ones: a stall, or, with
    /// one direction, a path that works one way only. What is held passes when it is healed.
    /// </summary>
    public void Hold(Flow flow = Flow.Both)
    {
        _held = flow;
        Change();
    }

    /// <summary>Connections there are stay open and carry nothing ever again, not even their close; new ones pass.</summary>
    public void Forget() => OnEach(connection => connection.Forget());

    /// <summary>Ends connections in good order, and new ones as they come.</summary>
    public void Cut()
    {
        _isCut = true;
        OnEach(connection => connection.End());
    }

    /// <summary>Ends connections as a lost peer does; new ones pass.</summary>
    public void Reset() => OnEach(connection => connection.Reset());

    /// <summary>Lets so many more bytes pass on each connection in that direction, in the middle of whatever they are, and resets it.</summary>
    public void Truncate(Flow flow, int bytes) => OnEach(connection => connection.Truncate(flow, bytes));

    /// <summary>Sound again: nothing is held, cut, late or slow. Forgotten connections stay forgotten.</summary>
    public void Heal()
    {
        (_held, _isCut, Delay, BytesPerSecond) = (Flow.None, false, TimeSpan.Zero, 0);
        Change();
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1)
        {
            return;
        }

        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Cut();
        Task[] running;
        lock (_lock)
        {
            running = [.. _connections.Values];
        }

        await Task.WhenAll(running);
        _stop.Dispose();
    }

    /// <summary>Waits while nothing passes in that direction.</summary>
    internal async Task UntilItPassesAsync(Flow flow, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if ((_held & flow) == 0)
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Change() =>
        Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();

    private void OnEach(Action<ProxiedConnection> action)
    {
        ProxiedConnection[] connections;
        lock (_lock)
        {
            connections = [.. _connections.Keys];
        }

        foreach (var connection in connections)
        {
            action(connection);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                var connection = new ProxiedConnection(this, client, _inspect?.Invoke());
                lock (_lock)
                {
                    _connections[connection] = RunAsync(connection);
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // Stopped.
        }
    }

    private async Task RunAsync(ProxiedConnection connection)
    {
        await Task.Yield();
        if (_isCut)
        {
            connection.End();
        }

        await connection.RunAsync(Host, TargetPort);
        lock (_lock)
        {
            _connections.Remove(connection);
        }
    }
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// One transaction in flight per stream and process: waiting here costs no connection. Taken before the transaction
/// begins, several streams in one order for everybody. On SQLite all streams are one, as the database has one writer.
/// </summary>
internal sealed class StreamGate(bool isSingle, TimeSpan timeout, TimeProvider time)
{
    private const string Everything = "";

    /// <summary>Whether holding one stream is holding all.</summary>
    public bool IsSingle { get; } = isSingle;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Door> _doors = new(StringComparer.Ordinal);

    /// <exception cref="TimeoutException">Another transaction of this process holds a stream for too long.</exception>
    public async Task<Pass> AcquireAsync(IEnumerable<StreamKey> streams, CancellationToken cancellationToken)
    {
        var pass = new Pass(this);
        try
        {
            foreach (var name in Names(streams))
            {
                var door = Reserve(name);
                try
                {
                    await WaitAsync(door, name, cancellationToken);
                }
                catch
                {
                    Leave(name, door);
                    throw;
                }

                pass.Add(name, door);
            }

            return pass;
        }
        catch
        {
            pass.Dispose();
            throw;
        }
    }

    /// <summary>Null: some stream is taken.</summary>
    public Pass? TryAcquire(IEnumerable<StreamKey> streams)
    {
        var pass = new Pass(this);
        foreach (var name in Names(streams))
        {
            var door = Reserve(name);
            if (!door.Free.Wait(0, CancellationToken.None))
            {
                Leave(name, door);
                pass.Dispose();
                return null;
            }

            pass.Add(name, door);
        }

        return pass;
    }

    private IEnumerable<string> Names(IEnumerable<StreamKey> streams) =>
        IsSingle ? [Everything] : streams.Select(stream => stream.Value).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private async Task WaitAsync(Door door, string name, CancellationToken cancellationToken)
    {
        if (await door.Free.WaitAsync(TimeSpan.Zero, cancellationToken))
        {
            return;
        }

        using var bound = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        try
        {
            await door.Free.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var what = name == Everything ? "The database" : $"Stream '{name}'";
            throw new TimeoutException(
                $"{what} was held by another transaction of this process for longer than Persistence:LockTimeout ({timeout:c}); try again");
        }
    }

    private Door Reserve(string name)
    {
        lock (_lock)
        {
            if (!_doors.TryGetValue(name, out var door))
            {
                _doors[name] = door = new Door();
            }

            door.Users++;
            return door;
        }
    }

    private void Leave(string name, Door door)
    {
        lock (_lock)
        {
            if (--door.Users == 0)
            {
                _doors.Remove(name);
                door.Free.Dispose();
            }
        }
    }

    /// <summary>The streams are ours until it is disposed.</summary>
    public sealed class Pass : IDisposable
    {
        private readonly StreamGate _gate;
        private readonly List<(string Name, Door Door)> _doors = [];

        internal Pass(StreamGate gate) => _gate = gate;

        internal void Add(string name, Door door) => _doors.Add((name, door));

        public void Dispose()
        {
            foreach (var (name, door) in _doors)
            {
                door.Free.Release();
                _gate.Leave(name, door);
            }

            _doors.Clear();
        }
    }

    internal sealed class Door
    {
        public SemaphoreSlim Free { get; } = new(1, 1);
        public int Users { get; set; }
    }
}

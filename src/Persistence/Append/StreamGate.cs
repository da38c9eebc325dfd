using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// One transaction in flight per stream and process, and, on a database with one writer, one in all: waiting here costs no
/// connection. Taken before the transaction begins; several streams in one order for everybody, the database last.
/// </summary>
internal sealed class StreamGate(bool hasOneWriter, TimeSpan timeout, TimeProvider time)
{
    // No stream has this key.
    private const string Database = "";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Door> _doors = new(StringComparer.Ordinal);

    /// <summary>For a transaction of one's own.</summary>
    /// <exception cref="TimeoutException">Others of this process were in the way for too long.</exception>
    public Task<Pass> AcquireAsync(IEnumerable<StreamKey> streams, CancellationToken cancellationToken) =>
        AcquireAsync([.. Names(streams), .. OneWriter()], cancellationToken);

    /// <summary>The streams alone, for who shares transactions and takes the database's turn for each of those.</summary>
    /// <inheritdoc cref="AcquireAsync(IEnumerable{StreamKey}, CancellationToken)"/>
    public Task<Pass> AcquireStreamsAsync(IEnumerable<StreamKey> streams, CancellationToken cancellationToken) =>
        AcquireAsync([.. Names(streams)], cancellationToken);

    /// <summary>The database's turn; at once where it has many writers.</summary>
    /// <inheritdoc cref="AcquireAsync(IEnumerable{StreamKey}, CancellationToken)"/>
    public Task<Pass> AcquireDatabaseAsync(CancellationToken cancellationToken) =>
        AcquireAsync([.. OneWriter()], cancellationToken);

    /// <summary>As <see cref="AcquireAsync(IEnumerable{StreamKey}, CancellationToken)"/> without waiting. Null: something is taken.</summary>
    public Pass? TryAcquire(IEnumerable<StreamKey> streams)
    {
        var pass = new Pass(this);
        foreach (var name in Names(streams).Concat(OneWriter()))
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

    private static IEnumerable<string> Names(IEnumerable<StreamKey> streams) =>
        streams.Select(stream => stream.Value).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private string[] OneWriter() => hasOneWriter ? [Database] : [];

    private async Task<Pass> AcquireAsync(string[] names, CancellationToken cancellationToken)
    {
        var pass = new Pass(this);
        var began = time.GetTimestamp();
        try
        {
            foreach (var name in names)
            {
                var door = Reserve(name);
                try
                {
                    await WaitAsync(door, name, timeout - time.GetElapsedTime(began), cancellationToken);
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

    private async Task WaitAsync(Door door, string name, TimeSpan left, CancellationToken cancellationToken)
    {
        if (door.Free.Wait(TimeSpan.Zero, cancellationToken))
        {
            return;
        }

        using var bound = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        try
        {
            await door.Free.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var what = name == Database ? "The database" : $"Stream '{name}'";
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

    /// <summary>What was acquired is ours until it is disposed.</summary>
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

using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The node's open connections: how many there may be, which one replaces which, and how they end when the node stops.
/// </summary>
internal sealed class Connections : IDisposable
{
    private readonly ConcurrentDictionary<Connection, byte> _all = [];
    private readonly Dictionary<(StreamKey, string), Connection> _clients = [];
    private readonly Lock _lock = new();
    private readonly FeedOptions _options;
    private readonly Degradation _degradation;
    private readonly TimeProvider _time;
    private readonly CancellationTokenRegistration _stopping;
    private volatile bool _draining;
    private int _count;

    public Connections(
        IOptions<FeedOptions> options, Degradation degradation, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        (_options, _degradation, _time) = (options.Value, degradation, time);
        _degradation.Changed += PulseAll;
        _stopping = lifetime.ApplicationStopping.Register(Drain);
    }

    /// <summary>Open connections.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>False: the node has as many as it takes.</summary>
    /// <param name="replaces">Whether an older connection of the same client id is to go.</param>
    public bool TryAdd(Connection connection, bool replaces)
    {
        if (Interlocked.Increment(ref _count) > _options.MaxConnections)
        {
            Interlocked.Decrement(ref _count);
            return false;
        }

        _all.TryAdd(connection, 0);
        if (replaces && connection.Client is { } client)
        {
            Replace((connection.Caller.Stream, client), connection);
        }

        if (_draining)
        {
            connection.Drain(0);
        }

        return true;
    }

    public void Remove(Connection connection)
    {
        _all.TryRemove(connection, out _);
        Interlocked.Decrement(ref _count);
        if (connection.Client is { } client)
        {
            lock (_lock)
            {
                var key = (connection.Caller.Stream, client);
                if (_clients.TryGetValue(key, out var current) && current == connection)
                {
                    _clients.Remove(key);
                }
            }
        }
    }

    public void Dispose()
    {
        _degradation.Changed -= PulseAll;
        _stopping.Dispose();
    }

    private void Replace((StreamKey, string) key, Connection connection)
    {
        Connection? former;
        lock (_lock)
        {
            _clients.Remove(key, out former);
            _clients[key] = connection;
        }

        former?.CloseWith(CloseCodes.Replaced, "a newer connection of the same client id took over");
    }

    // All at once would make all clients reconnect at once.
    private void Drain()
    {
        _draining = true;
        foreach (var connection in _all.Keys)
        {
            connection.Drain(_time.After(_options.DrainTime * Random.Shared.NextDouble()));
        }
    }

    private void PulseAll()
    {
        foreach (var connection in _all.Keys)
        {
            connection.Pulse();
        }
    }
}

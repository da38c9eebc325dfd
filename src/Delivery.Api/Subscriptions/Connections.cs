using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The node's open connections: how many there may be, which one replaces which, and how they end when the node stops.
/// </summary>
internal sealed class Connections : IDisposable
{
    private readonly HashSet<Connection> _all = [];
    private readonly Dictionary<StreamKey, int> _users = [];
    private readonly Dictionary<(StreamKey, string), Connection> _clients = [];
    private readonly Lock _lock = new();
    private readonly FeedOptions _options;
    private readonly TimeSpan _drainDelay;
    private readonly Degradation _degradation;
    private readonly TimeProvider _time;
    private readonly CancellationTokenRegistration _stopping;
    private long? _drainFrom;

    public Connections(
        IOptions<FeedOptions> options, IOptions<DeliveryOptions> delivery, Degradation degradation, IHostApplicationLifetime lifetime,
        TimeProvider time)
    {
        (_options, _drainDelay, _degradation, _time) = (options.Value, delivery.Value.DrainDelay, degradation, time);
        _degradation.Changed += PulseAll;
        _stopping = lifetime.ApplicationStopping.Register(Drain);
    }

    /// <summary>Open connections.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>Null: it is one of them until <see cref="Remove"/>. Else why there is no room for it.</summary>
    /// <param name="replaces">Whether an older connection of the same client id is to go.</param>
    public string? TryAdd(Connection connection, bool replaces)
    {
        Connection? former = null;
        string? full;
        long? drainFrom;
        lock (_lock)
        {
            // The former's place is free for the newer: it may be the dead end of the same client.
            if (replaces && connection.Client is { } client && _clients.TryGetValue((connection.Caller.Stream, client), out former))
            {
                Forget(former);
            }

            full = WhyFull(connection.Caller.Stream);
            if (full is null)
            {
                Note(connection, replaces);
            }

            drainFrom = _drainFrom;
        }

        former?.CloseWith(CloseCodes.Replaced, "a newer connection of the same client id took over");
        if (drainFrom is { } from)
        {
            connection.Drain(DrainAt(from));
        }

        return full;
    }

    public void Remove(Connection connection)
    {
        lock (_lock)
        {
            Forget(connection);
        }
    }

    public void Dispose()
    {
        _degradation.Changed -= PulseAll;
        _stopping.Dispose();
    }

    private string? WhyFull(StreamKey user) =>
        _all.Count >= _options.MaxConnections ? "this node has as many connections as it takes"
        : _users.GetValueOrDefault(user) >= _options.MaxConnectionsPerUser
            ? $"this user has {_options.MaxConnectionsPerUser} connections on this node, as many as one may; close some of them"
        : null;

    private void Note(Connection connection, bool replaces)
    {
        var user = connection.Caller.Stream;
        _all.Add(connection);
        _users[user] = _users.GetValueOrDefault(user) + 1;
        if (replaces && connection.Client is { } client)
        {
            _clients[(user, client)] = connection;
        }
    }

    private void Forget(Connection connection)
    {
        if (!_all.Remove(connection))
        {
            return;
        }

        var user = connection.Caller.Stream;
        if (--_users[user] is 0)
        {
            _users.Remove(user);
        }

        if (connection.Client is { } client && _clients.GetValueOrDefault((user, client)) == connection)
        {
            _clients.Remove((user, client));
        }
    }

    // Not before the balancer sends newcomers elsewhere, and not all at once: they all come back at once then.
    private void Drain()
    {
        Connection[] all;
        var from = _time.After(_drainDelay);
        lock (_lock)
        {
            _drainFrom = from;
            all = [.. _all];
        }

        foreach (var connection in all)
        {
            connection.Drain(DrainAt(from));
        }
    }

    private long DrainAt(long from) => from + _time.Ticks(_options.DrainTime * Random.Shared.NextDouble());

    private void PulseAll()
    {
        Connection[] all;
        lock (_lock)
        {
            all = [.. _all];
        }

        foreach (var connection in all)
        {
            connection.Signal.Pulse();
        }
    }
}

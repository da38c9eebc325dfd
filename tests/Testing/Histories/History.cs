using System.Collections.Concurrent;

namespace Pipeline.Testing;

/// <summary>
/// What happened while something ran: what producers attempted and what was acknowledged to them, what each client
/// received, when what was broken. Thread-safe; <see cref="Checker"/> judges it.
/// </summary>
/// <param name="time">The clock that the database has too; null: the machine's.</param>
public sealed class History(TimeProvider? time = null)
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ConcurrentDictionary<Guid, string> _attempted = new();
    private readonly ConcurrentDictionary<(string User, string Thread), byte> _asked = new();
    private readonly ConcurrentBag<Acknowledgement> _acknowledged = [];
    private readonly ConcurrentBag<ClientHistory> _clients = [];
    private readonly ConcurrentBag<Violation> _seen = [];
    private readonly ConcurrentDictionary<long, FaultSpan> _faults = new();
    private long _lastFault;

    /// <summary>Events that a producer tried to append, and for whom.</summary>
    public IReadOnlyDictionary<Guid, string> Attempted => _attempted;

    public IReadOnlyCollection<Acknowledgement> Acknowledged => _acknowledged;

    public IReadOnlyCollection<ClientHistory> Clients => _clients;

    public IReadOnlyCollection<FaultSpan> Faults => [.. _faults.Values];

    /// <summary>What was noticed while it ran, and needs no history to be judged: a refused handshake, a bound that was passed.</summary>
    public IReadOnlyCollection<Violation> Seen => _seen;

    /// <summary>A producer is about to append this; whether it is committed may never be known.</summary>
    public void Attempt(string user, Guid id) => _attempted[id] = user;

    /// <summary>A run is about to be asked for, in a thread of its own; what its agent appends is attempted with it.</summary>
    public void Ask(string user, string thread) => _asked[(user, thread)] = 0;

    public bool WasAskedFor(string user, string thread) => _asked.ContainsKey((user, thread));

    /// <summary>The producer was told that the event is committed, and where.</summary>
    public void Acknowledge(string user, Guid id, string cursor) => _acknowledged.Add(new(user, id, cursor));

    public ClientHistory Client(string user, string name, bool stays = true)
    {
        var client = new ClientHistory(user, name, stays, _time);
        _clients.Add(client);
        return client;
    }

    public void Violate(string invariant, string what) => _seen.Add(new Violation(invariant, what));

    /// <summary>Something is broken until what is returned is disposed.</summary>
    public IDisposable Break(string what)
    {
        var number = Interlocked.Increment(ref _lastFault);
        _faults[number] = new FaultSpan(what, _time.GetUtcNow(), Until: null);
        return new Healing(() => _faults[number] = _faults[number] with { Until = _time.GetUtcNow() });
    }

    private sealed class Healing(Action heal) : IDisposable
    {
        public void Dispose() => heal();
    }
}

/// <param name="Cursor">Where the log put it.</param>
public sealed record Acknowledgement(string User, Guid Id, string Cursor);

/// <param name="Until">When it was healed; null while it is not.</param>
public sealed record FaultSpan(string What, DateTimeOffset From, DateTimeOffset? Until);

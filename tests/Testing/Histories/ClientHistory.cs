using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>What one client received, in order, as a client that follows PROTOCOL.md keeps it. Thread-safe.</summary>
/// <param name="user">Whose events it reads.</param>
/// <param name="name">Names the client in violations.</param>
/// <param name="stays">Whether it never leaves by its own will: then its events have to be in time.</param>
/// <param name="time">The history's clock.</param>
public sealed class ClientHistory(string user, string name, bool stays, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly List<Received> _received = [];
    private readonly List<Violation> _violations = [];
    private string _cursor = "0";
    private int _ends;
    private int _resets;
    private DateTimeOffset? _cameAt;

    public string User => user;

    public string Name => name;

    public bool Stays => stays;

    /// <summary>Where to go on: the last event's cursor, or that of a reset; "0" before the first.</summary>
    public string Cursor => Volatile.Read(ref _cursor);

    /// <summary>Connections that ended: by the client's own will, or because the node or the network did.</summary>
    public int Ends => Volatile.Read(ref _ends);

    /// <summary>When it was connected for the first time; null for never.</summary>
    public DateTimeOffset? CameAt
    {
        get
        {
            lock (_lock)
            {
                return _cameAt;
            }
        }
    }

    /// <summary>Explicit discontinuities.</summary>
    public int Resets => Volatile.Read(ref _resets);

    /// <summary>Everything that came, resets among it.</summary>
    public IReadOnlyList<Received> Received
    {
        get
        {
            lock (_lock)
            {
                return [.. _received];
            }
        }
    }

    /// <summary>What broke a promise the moment it came.</summary>
    public IReadOnlyList<Violation> Violations
    {
        get
        {
            lock (_lock)
            {
                return [.. _violations];
            }
        }
    }

    /// <summary>The position of the last event, or of a reset after it; 0 before the first.</summary>
    public long Position
    {
        get
        {
            lock (_lock)
            {
                return _received.Count == 0 ? 0 : _received[^1].Cursor.Position;
            }
        }
    }

    public void Ended() => Interlocked.Increment(ref _ends);

    /// <summary>Takes in one event as it came: its cursor first, then the stored body.</summary>
    public void Receive(string json)
    {
        const string start = "{\"cursor\":\"";
        var end = json.IndexOf("\",", StringComparison.Ordinal);
        if (!json.StartsWith(start, StringComparison.Ordinal) || !Contracts.Cursor.TryParse(json[start.Length..end], out var cursor))
        {
            Violate("I2", $"no cursor in front of {json}");
            return;
        }

        Add(new Received(cursor, "{" + json[(end + 2)..], time.GetUtcNow()));
    }

    /// <summary>Takes in an events frame; its <c>after</c> must be where this client is.</summary>
    public void ReceiveFrame(JsonElement frame)
    {
        var events = frame.GetProperty("events");
        if (events.GetArrayLength() > 0 && frame.GetProperty("after").GetString() is { } after && after != Cursor && Cursor != "0")
        {
            Violate("I6", $"a frame continues {after}, the client is at {Cursor}");
        }

        foreach (var @event in events.EnumerateArray())
        {
            Receive(@event.GetRawText());
        }
    }

    /// <summary>Takes in an explicit discontinuity: what was held is discarded, and the next event follows <paramref name="cursor"/>.</summary>
    public void Reset(string cursor, string reason)
    {
        Interlocked.Increment(ref _resets);
        if (!Contracts.Cursor.TryParse(cursor, out var at))
        {
            Violate("I6", $"a reset, reason {reason}, to what is no cursor: {cursor}");
            return;
        }

        Add(new Received(at, null, time.GetUtcNow()));
    }

    /// <summary>It is connected.</summary>
    public void Come()
    {
        lock (_lock)
        {
            _cameAt ??= time.GetUtcNow();
        }
    }

    public void Violate(string invariant, string what)
    {
        lock (_lock)
        {
            _violations.Add(new Violation(invariant, $"{name}: {what}"));
        }
    }

    private void Add(Received received)
    {
        lock (_lock)
        {
            _received.Add(received);
            Volatile.Write(ref _cursor, received.Cursor.ToString());
        }
    }
}

/// <param name="Cursor">The event's, or where a reset goes on.</param>
/// <param name="Body">The event's JSON without its cursor; null for a reset.</param>
/// <param name="At">When the client had it, by the clock of the machine that the database is on too.</param>
public sealed record Received(Cursor Cursor, string? Body, DateTimeOffset At);

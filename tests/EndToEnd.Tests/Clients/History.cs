using System.Text.Json;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.EndToEnd.Tests;

/// <summary>
/// What one client received, checked as it comes in: each event at the position behind the last one. Thread-safe.
/// </summary>
public sealed class History(string user, string client)
{
    private readonly Lock _lock = new();
    private readonly List<Received> _events = [];
    private readonly List<string> _violations = [];

    public string User => user;

    public string Client => client;

    /// <summary>The last event's cursor; "0" before the first.</summary>
    public string Cursor { get; private set; } = "0";

    /// <summary>Connections that ended: by the client's own will, or because the node or the network did.</summary>
    public int Ends { get; private set; }

    public IReadOnlyList<Received> Events
    {
        get
        {
            lock (_lock)
            {
                return [.. _events];
            }
        }
    }

    public long Position
    {
        get
        {
            lock (_lock)
            {
                return _events.Count == 0 ? 0 : _events[^1].Position;
            }
        }
    }

    public void Ended() => Ends++;

    /// <summary>Takes in one event as it came: its cursor first, then the stored body.</summary>
    public void Receive(string json)
    {
        lock (_lock)
        {
            var end = json.IndexOf("\",", StringComparison.Ordinal);
            const string start = "{\"cursor\":\"";
            if (!json.StartsWith(start, StringComparison.Ordinal)
                || !Contracts.Cursor.TryParse(json[start.Length..end], out var cursor))
            {
                _violations.Add($"{client}: no cursor in front of {json}");
                return;
            }

            var last = _events.Count == 0 ? 0 : _events[^1].Position;
            if (cursor.Position != last + 1)
            {
                _violations.Add($"{client}: {cursor} came after position {last}");
            }

            _events.Add(new Received(cursor, "{" + json[(end + 2)..], TimeProvider.System.GetUtcNow()));
            Cursor = cursor.ToString();
        }
    }

    /// <summary>Takes in an events frame; its <c>after</c> must be where this client is.</summary>
    public void ReceiveFrame(JsonElement frame)
    {
        if (frame.GetProperty("events").GetArrayLength() > 0
            && frame.GetProperty("after").GetString() is { } after
            && after != Cursor
            && Position > 0)
        {
            Violate($"a frame continues {after}, the client is at {Cursor}");
        }

        foreach (var @event in frame.GetProperty("events").EnumerateArray())
        {
            Receive(@event.GetRawText());
        }
    }

    public void Violate(string what)
    {
        lock (_lock)
        {
            _violations.Add($"{client}: {what}");
        }
    }

    /// <summary>Everything wrong with this history, held against what is committed; empty when nothing is.</summary>
    public IReadOnlyList<string> Check(IReadOnlyList<CommittedBody> committed)
    {
        lock (_lock)
        {
            var wrong = new List<string>(_violations);
            var bodies = committed.ToDictionary(body => body.Position, body => body.Body);
            wrong.AddRange(_events
                .Where(e => !bodies.TryGetValue(e.Position, out var body) || body != e.Body)
                .Select(e => $"{client}: {e.Cursor} is not what is committed: {e.Body}"));
            var seen = _events.Select(e => e.Position).ToHashSet();
            wrong.AddRange(committed.Where(body => !seen.Contains(body.Position)).Select(body => $"{client}: lost {body.Position}"));
            if (_events.Count > seen.Count)
            {
                wrong.Add($"{client}: {_events.Count - seen.Count} events came twice");
            }

            return wrong;
        }
    }
}

/// <param name="Body">The event's JSON without its cursor.</param>
/// <param name="At">When the client had it, by the clock of the machine that the database is on too.</param>
public sealed record Received(Cursor Cursor, string Body, DateTimeOffset At)
{
    public long Position => Cursor.Position;
}

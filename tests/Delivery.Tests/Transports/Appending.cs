using System.Text.Json.Nodes;

namespace Pipeline.Delivery.Tests;

/// <summary>An agent that appends over HTTP to one run.</summary>
internal sealed class Appending(TestNode node, string user, string run = "r-1")
{
    private readonly string _token = Tokens.Of("agent", scope: "events:append");
    private long _sequence;

    /// <summary>Appends events and returns their cursors.</summary>
    public async Task<List<string>> AppendAsync(int count = 1, object? data = null)
    {
        var events = Enumerable.Range(0, count)
            .Select(_ => (JsonNode)Bodies.Event(run, ++_sequence, data: data ?? new { n = _sequence }))
            .ToArray();
        var answer = (await node.PostAsync("/v1/events", _token, Bodies.Append(user, events))).Is(200);
        return [.. answer.Json.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("cursor").GetString()!)];
    }
}

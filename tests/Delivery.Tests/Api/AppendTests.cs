using System.Text.Json.Nodes;

namespace Pipeline.Delivery.Tests;

public sealed class AppendTests
{
    [Fact]
    public async Task Appending_needs_the_scope()
    {
        await using var node = await TestNode.StartAsync();

        var answer = await node.PostAsync("/v1/events", await node.TokenAsync("agent"), Bodies.Append("u", Bodies.Event()));

        Assert.Contains("events:append", answer.IsProblem(403).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cursors_come_back_in_the_order_of_the_request_and_a_repeat_gives_the_same()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("agent", "events:append");
        var body = Bodies.Append("u", [.. Enumerable.Range(1, 5).Select(i => (JsonNode)Bodies.Event(sequence: i))]);

        var first = (await node.PostAsync("/v1/events", token, body)).Is(200);
        var again = (await node.PostAsync("/v1/events", token, body)).Is(200);

        Assert.Equal(first.Text, again.Text);
        var events = first.Json.GetProperty("events").EnumerateArray().ToList();
        Assert.Equal(
            body["events"]!.AsArray().Select(e => e!["id"]!.GetValue<string>()),
            events.Select(e => e.GetProperty("id").GetString()));
        Assert.Equal(
            ["1", "2", "3", "4", "5"],
            events.Select(e => e.GetProperty("cursor").GetString()!.Split('_')[1]));
    }

    [Fact]
    public async Task A_refused_event_is_a_409_that_says_which_and_why_and_nothing_is_stored()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("agent", "events:append");
        var first = Bodies.Event();
        (await node.PostAsync("/v1/events", token, Bodies.Append("u", first.DeepClone()))).Is(200);

        var other = first.DeepClone();
        other["data"] = new JsonObject { ["text"] = "changed" };
        await RefusedAsync("id_conflict", 0, other);
        await RefusedAsync("sequence_mismatch", 1, Bodies.Event(sequence: 2), Bodies.Event(sequence: 4));

        // Sequence 2 was not stored with it.
        (await node.PostAsync("/v1/events", token, Bodies.Append("u", Bodies.Event(sequence: 2, type: "agent_completed", data: new { })))).Is(200);
        await RefusedAsync("run_ended", 0, Bodies.Event(sequence: 3));

        async Task RefusedAsync(string reason, int index, params JsonNode[] events)
        {
            var answer = (await node.PostAsync("/v1/events", token, Bodies.Append("u", events))).IsProblem(409);
            Assert.Equal(reason, answer.Json.GetProperty("reason").GetString());
            Assert.Equal($"events[{index}]", answer.Field);
            Assert.Contains(events[index]["id"]!.GetValue<string>(), answer.Detail, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_tenant_is_the_tokens_own()
    {
        await using var node = await TestNode.StartAsync();
        (await node.PostAsync("/v1/events", Tokens.Of("agent", "acme", "events:append"), Bodies.Append("u", Bodies.Event()))).Is(200);

        (await node.GetAsync("/v1/runs/r-1", Tokens.Of("u", "acme"))).Is(200);
        (await node.GetAsync("/v1/runs/r-1", Tokens.Of("u", "other"))).IsProblem(404);
        (await node.GetAsync("/v1/runs/r-1", Tokens.Of("u"))).IsProblem(404);
        (await node.GetAsync("/v1/runs/r-1", Tokens.Of("agent", "acme"))).IsProblem(404);
    }

    [Fact]
    public async Task Data_of_unknown_types_may_hold_anything_a_nul_escape_too()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("agent", "events:append");

        (await node.PostAsync("/v1/events", token, Bodies.Append("u", Bodies.Event(type: "my_own", data: new { a = "x\0y", b = new[] { 1 } })))).Is(200);
    }
}

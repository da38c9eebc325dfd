using System.Text;
using System.Text.Json.Nodes;

namespace Pipeline.Delivery.Tests;

public sealed class AppendInputTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private const string Valid =
        """{"id":"01990000-0000-7000-8000-000000000001","type":"note","thread":"t-1","run":"r-1","sequence":1,"data":{}}""";

    [Theory]
    [InlineData("not json", "body")]
    [InlineData("", "body")]
    [InlineData("[]", "body")]
    [InlineData("""{"user":"u"} x""", "body")]
    [InlineData("""{"user":"u","user":"v","events":[]}""", "body")]
    [InlineData("""{"\ud800":1}""", "body")]
    [InlineData("""{}""", "user")]
    [InlineData("""{"user":7,"events":[]}""", "user")]
    [InlineData("""{"user":"","events":[]}""", "user")]
    [InlineData("""{"user":"u\u0000","events":[]}""", "user")]
    [InlineData("""{"user":"\ud800","events":[]}""", "user")]
    [InlineData("""{"user":"u"}""", "events")]
    [InlineData("""{"user":"u","events":{}}""", "events")]
    [InlineData("""{"user":"u","events":[]}""", "events")]
    [InlineData("""{"user":"u","events":[7]}""", "events[0]")]
    public async Task A_wrong_request_is_a_400_that_names_the_place(string body, string field)
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");

        Assert.Equal(field, (await node.PostRawAsync("/v1/events", token, body)).IsProblem(400).Field);
    }

    [Fact]
    public async Task An_id_twice_in_one_request_is_a_400_that_names_the_second()
    {
        var token = await shared.Node.TokenAsync("agent", "events:append");

        var answer = await shared.Node.PostRawAsync("/v1/events", token, $$"""{"user":"twice","events":[{{Valid}},{{Valid}}]}""");

        Assert.Equal("events[1].id", answer.IsProblem(400).Field);
    }

    [Fact]
    public async Task Another_thread_than_the_runs_is_a_409()
    {
        var token = await shared.Node.TokenAsync("agent", "events:append");
        var strayed = Valid.Replace("01990000", "01990001", StringComparison.Ordinal)
            .Replace("t-1", "t-2", StringComparison.Ordinal).Replace("\"sequence\":1", "\"sequence\":2", StringComparison.Ordinal);

        var answer = await shared.Node.PostRawAsync("/v1/events", token, $$"""{"user":"strayed","events":[{{Valid}},{{strayed}}]}""");

        Assert.Equal("events[1]", answer.IsProblem(409).Field);
    }

    [Fact]
    public async Task Fields_that_are_not_of_this_version_are_ignored()
    {
        var token = await shared.Node.TokenAsync("agent", "events:append");
        var later = Valid.Replace("{\"id\"", "{\"cursor\":\"x\",\"id\"", StringComparison.Ordinal);

        var answer = await shared.Node.PostRawAsync("/v1/events", token, $$"""{"user":"later","tenant":"other","events":[{{later}}]}""");

        Assert.Equal(200, answer.Status);
    }

    [Fact]
    public async Task A_wrong_field_of_any_event_is_a_400_that_names_it_and_stores_nothing()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");
        (string Field, string? Json)[] wrong =
        [
            ("id", null), ("id", "7"), ("id", "\"\""), ("id", "\"r-1\""), ("id", "\"00000000-0000-0000-0000-000000000000\""),
            ("type", null), ("type", "\"\""), ("type", "\"a\\u0007b\""), ("type", $"\"{new string('x', 129)}\""),
            ("thread", null), ("thread", "\"\""), ("thread", "\"a\\u0000b\""), ("thread", $"\"{new string('é', 65)}\""),
            ("run", null), ("run", "\"\""), ("run", "\"a\\nb\""), ("run", "{}"), ("run", "\"\\udc00\""),
            ("sequence", null), ("sequence", "0"), ("sequence", "-1"), ("sequence", "1.5"), ("sequence", "\"1\""), ("sequence", "99999999999999999999"),
            ("time", "\"yesterday\""), ("time", "7"), ("time", "\"2026-11-23T03:08:00\""), ("time", "\"0001-01-01T00:00:00+14:00\""),
            ("data", null), ("data", "null"), ("data", "[]"), ("data", "\"text\""),
        ];
        foreach (var (field, json) in wrong)
        {
            var item = (JsonObject)JsonNode.Parse(Valid)!;
            item.Remove(field);
            var body = new StringBuilder("{\"user\":\"u\",\"events\":[").Append(Valid).Append(',');
            var text = item.ToJsonString();
            body.Append(json is null ? text : $"{text[..^1]},\"{field}\":{json}}}").Append("]}");

            var answer = await node.PostRawAsync("/v1/events", token, body.ToString());
            Assert.True(answer.Status == 400, $"{field} = {json}: {answer.Status} {answer.Text}");
            Assert.Equal($"events[1].{field}", answer.IsProblem(400).Field);
            Assert.StartsWith($"events[1].{field} ", answer.Detail, StringComparison.Ordinal);
        }

        // The valid event that stood beside each of them was not stored: its id may still be used for something else.
        (await node.PostRawAsync("/v1/events", token, $$"""{"user":"u","events":[{{Valid.Replace("note", "other", StringComparison.Ordinal)}}]}""")).Is(200);
    }

    [Fact]
    public async Task A_known_type_with_data_of_another_shape_is_a_400()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");

        var answer = await node.PostAsync(
            "/v1/events", token, Bodies.Append("u", Bodies.Event(type: "tool_executing", data: new { tool = 7 })));

        Assert.Equal("events[0].data", answer.IsProblem(400).Field);
    }

    [Fact]
    public async Task Invalid_utf8_and_a_raw_nul_are_a_400()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");
        var body = Encoding.UTF8.GetBytes("""{"user":"u","events":[{"data":{"x":"?"}}]}""");
        foreach (var bad in (byte[])[0xff, 0x00])
        {
            var bytes = body.Select(b => b == (byte)'?' ? bad : b).ToArray();
            Assert.Equal("body", (await node.PostRawAsync("/v1/events", token, bytes)).IsProblem(400).Field);
        }
    }

    [Fact]
    public async Task Too_many_events_are_a_400()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");
        var events = Enumerable.Range(1, 1001).Select(i => (JsonNode)Bodies.Event(sequence: i)).ToArray();

        var answer = (await node.PostAsync("/v1/events", token, Bodies.Append("u", events))).IsProblem(400);

        Assert.Equal("events", answer.Field);
        Assert.Contains("1001", answer.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_over_the_limit_is_a_413_with_its_size_and_the_limit()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("agent", "events:append");
        var large = Bodies.Event("r-413", sequence: 2, data: new { text = new string('x', 256 * 1024) });

        var answer = (await node.PostAsync("/v1/events", token, Bodies.Append("u-413", Bodies.Event("r-413"), large))).IsProblem(413);

        Assert.Equal("events[1]", answer.Field);
        Assert.Equal(256 * 1024, answer.Json.GetProperty("limit").GetInt32());
        Assert.True(answer.Json.GetProperty("size").GetInt32() > 256 * 1024);

        // Its neighbour was not stored, and no run was opened.
        Assert.EndsWith("_0", (await node.GetAsync("/v1/events", Tokens.Of("u-413"))).Json.GetProperty("head").GetString(), StringComparison.Ordinal);
        (await node.GetAsync("/v1/runs/r-413", Tokens.Of("u-413"))).IsProblem(404);
    }

    [Fact]
    public async Task A_body_may_be_larger_than_the_server_takes_by_itself()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:MaxAppendBytes"] = $"{64 << 20}" });
        var body = new byte[32 << 20];
        Array.Fill(body, (byte)' ');
        "{\"user\":\"u\",\"events\":[]}"u8.CopyTo(body);
        Assert.Equal("events", (await node.PostRawAsync("/v1/events", await node.TokenAsync("agent", "events:append"), body)).IsProblem(400).Field);
    }

    [Fact]
    public async Task A_body_over_the_limit_is_a_413_whether_or_not_it_says_its_size()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:MaxAppendBytes"] = "300000" });
        var token = await node.TokenAsync("agent", "events:append");
        var body = new byte[400_000];
        Array.Fill(body, (byte)' ');

        var sized = (await node.PostRawAsync("/v1/events", token, body)).IsProblem(413);
        Assert.Equal(400_000, sized.Json.GetProperty("size").GetInt32());
        Assert.Equal(300_000, sized.Json.GetProperty("limit").GetInt32());

        using var content = new StreamContent(new UnsizedStream(body));
        content.Headers.ContentType = new("application/json");
        var unsized = (await node.SendAsync(HttpMethod.Post, "/v1/events", token, content)).IsProblem(413);
        Assert.Equal(300_000, unsized.Json.GetProperty("limit").GetInt32());
    }

    /// <summary>Makes the client send chunks.</summary>
    private sealed class UnsizedStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}

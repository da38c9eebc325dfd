using System.Text;

namespace Pipeline.Delivery.Tests;

public sealed class RunInputTests(SharedNode shared) : IClassFixture<SharedNode>
{
    [Theory]
    [InlineData("""{}""", "input")]
    [InlineData("""{"input":null}""", "input")]
    [InlineData("""{"input":"  "}""", "input")]
    [InlineData("""{"input":7}""", "input")]
    [InlineData("""{"input":"a\u0000b"}""", "input")]
    [InlineData("""{"input":"x","agent":""}""", "agent")]
    [InlineData("""{"input":"x","agent":"a\nb"}""", "agent")]
    [InlineData("""{"input":"x\ud800"}""", "input")]
    [InlineData("""{"input":"x""", "body")]
    public async Task A_wrong_request_is_a_400_that_names_the_field(string body, string field)
    {
        var node = shared.Node;

        var answer = await node.PostRawAsync("/v1/threads/t-1/runs", await node.TokenAsync("alice"), body);

        Assert.Equal(field, answer.IsProblem(400).Field);
    }

    [Fact]
    public async Task Wrong_ids_in_path_and_headers_are_a_400()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("alice");
        var body = new { input = "x" };
        var tooLong = new string('x', 129);

        Assert.Equal("thread", (await node.PostAsync($"/v1/threads/{tooLong}/runs", token, body)).IsProblem(400).Field);
        Assert.Equal("thread", (await node.PostAsync("/v1/threads/a%07b/runs", token, body)).IsProblem(400).Field);
        Assert.Equal("run", (await node.GetAsync($"/v1/runs/{tooLong}", token)).IsProblem(400).Field);
        Assert.Equal("limit", (await node.GetAsync("/v1/threads?limit=0", token)).IsProblem(400).Field);
        Assert.Equal("limit", (await node.GetAsync("/v1/threads?limit=x", token)).IsProblem(400).Field);
        foreach (var key in (string[])["\u0001", tooLong])
        {
            var answer = await node.PostAsync("/v1/threads/t-1/runs", token, body, ("Idempotency-Key", key));
            Assert.Equal("Idempotency-Key", answer.IsProblem(400).Field);
        }
    }

    [Fact]
    public async Task An_oversized_input_is_a_413_with_size_and_limit()
    {
        var node = shared.Node;
        var token = await node.TokenAsync("alice");

        var answer = (await node.PostAsync("/v1/threads/t-1/runs", token, new { input = new string('x', 300_000) })).IsProblem(413);
        Assert.Equal(256 * 1024, answer.Json.GetProperty("limit").GetInt32());

        var huge = new byte[2 * 1024 * 1024];
        Encoding.ASCII.GetBytes("{\"input\":\"").CopyTo(huge, 0);
        Assert.Equal("body", (await node.PostRawAsync("/v1/threads/t-1/runs", token, huge)).IsProblem(413).Field);
    }
}

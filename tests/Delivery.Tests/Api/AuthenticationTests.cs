namespace Pipeline.Delivery.Tests;

public sealed class AuthenticationTests
{
    [Fact]
    public async Task Without_a_token_every_resource_answers_401_with_a_challenge_and_a_problem()
    {
        await using var node = await TestNode.StartAsync();

        foreach (var path in (string[])["/v1/threads", "/v1/runs/r-1", "/v1/events"])
        {
            var answer = (await node.GetAsync(path)).IsProblem(401);
            Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        }

        (await node.PostAsync("/v1/events", null, new { })).IsProblem(401);
        (await node.PostAsync("/v1/threads/t-1/runs", null, new { input = "hi" })).IsProblem(401);
        (await node.PostAsync("/v1/runs/r-1/cancel", null, null)).IsProblem(401);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/status")]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/openapi/v1.json")]
    public async Task What_needs_no_token_answers_without_one(string path)
    {
        await using var node = await TestNode.StartAsync();

        (await node.GetAsync(path)).Is(200);
    }

    [Fact]
    public async Task A_token_that_is_not_ours_is_refused_with_its_cause()
    {
        await using var node = await TestNode.StartAsync();
        Dictionary<string, object> alice = new() { ["sub"] = "alice" };
        (string Name, string Token)[] bad =
        [
            ("other key", Tokens.Sign(alice, "another-key-0123456789-0123456789abcdef")),
            ("expired", Tokens.Sign(alice, lifetime: TimeSpan.FromMinutes(-5))),
            ("unsigned", Tokens.Sign(alice, credentials: null)),
            ("no user", Tokens.Sign(new() { ["tenant"] = "t" })),
            ("two users", Tokens.Sign(new() { ["sub"] = new[] { "alice", "bob" } })),
            ("control character", Tokens.Sign(new() { ["sub"] = "al\u0001ice" })),
            ("over-long", Tokens.Sign(new() { ["sub"] = new string('a', 129) })),
            ("empty tenant", Tokens.Sign(new() { ["sub"] = "alice", ["tenant"] = "" })),
            ("no token at all", "rubbish"),
        ];
        foreach (var (name, token) in bad)
        {
            var answer = await node.GetAsync("/v1/threads", token);
            Assert.True(answer.Status == 401, $"{name}: {answer.Status}");
            Assert.Contains("invalid_token", answer.IsProblem(401).Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_token_that_ends_when_time_does_is_good()
    {
        await using var node = await TestNode.StartAsync();
        var token = Tokens.Sign(new() { ["sub"] = "alice" }, lifetime: DateTime.MaxValue - TimeProvider.System.GetUtcNow().UtcDateTime - TimeSpan.FromSeconds(10));

        (await node.GetAsync("/v1/threads", token)).Is(200);
        await using var screen = await Screen.OpenAsync(node, token);
        await screen.FrameAsync("ready");
        var cursors = await new Appending(node, "alice").AppendAsync();
        Assert.Equal(cursors, (await screen.EventsAsync(1)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task Audience_and_issuer_are_checked_where_configured()
    {
        await using var node = await TestNode.StartAsync(new() { ["Auth:Audience"] = "pipeline", ["Auth:Issuer"] = "me" });

        (await node.GetAsync("/v1/threads", Tokens.Of("alice"))).IsProblem(401);
        (await node.GetAsync("/v1/threads", await node.TokenAsync("alice"))).Is(200);
    }

    [Theory]
    [InlineData("Development", false, 200)]
    [InlineData("Production", true, 200)]
    [InlineData("Production", false, 401)]
    public async Task A_token_in_the_query_is_taken_in_development_and_standalone_only(
        string environment, bool standalone, int status)
    {
        await using var node = await TestNode.StartAsync(environment: environment, standalone: standalone);

        (await node.GetAsync($"/v1/events?access_token={Tokens.Of("alice")}")).Is(status);
        (await node.GetAsync($"/v1/threads?access_token={Tokens.Of("alice")}")).Is(401);
    }

    [Fact]
    public async Task A_token_in_the_query_can_be_switched_off_and_the_header_wins()
    {
        await using var off = await TestNode.StartAsync(new() { ["Auth:QueryToken"] = "false" });
        (await off.GetAsync($"/v1/events?access_token={Tokens.Of("alice")}")).IsProblem(401);

        await using var on = await TestNode.StartAsync();
        (await on.GetAsync($"/v1/events?access_token={Tokens.Of("alice")}", "rubbish")).IsProblem(401);
    }

    [Theory]
    [InlineData("Development", false, 200)]
    [InlineData("Production", true, 200)]
    [InlineData("Production", false, 404)]
    public async Task Development_tokens_exist_in_development_and_standalone_only(
        string environment, bool standalone, int status)
    {
        await using var node = await TestNode.StartAsync(environment: environment, standalone: standalone);

        (await node.PostAsync("/v1/dev/token", null, new { user = "alice" })).Is(status);
    }

    [Fact]
    public async Task A_development_token_is_good_and_a_wrong_request_for_one_names_the_field()
    {
        await using var node = await TestNode.StartAsync();

        (await node.GetAsync("/v1/threads", await node.TokenAsync("alice"))).Is(200);
        Assert.Equal("user", (await node.PostAsync("/v1/dev/token", null, new { scope = "x" })).IsProblem(400).Field);
        Assert.Equal("user", (await node.PostAsync("/v1/dev/token", null, new { user = "" })).IsProblem(400).Field);
    }

    [Fact]
    public async Task Claims_have_the_configured_names()
    {
        await using var node = await TestNode.StartAsync(new()
        {
            ["Auth:UserClaim"] = "oid", ["Auth:TenantClaim"] = "tid", ["Auth:DefaultTenant"] = "",
        });

        (await node.GetAsync("/v1/threads", Tokens.Sign(new() { ["oid"] = "alice", ["tid"] = "acme" }))).Is(200);
        Assert.Contains("'tid'", (await node.GetAsync("/v1/threads", Tokens.Sign(new() { ["oid"] = "alice" }))).IsProblem(401).Detail, StringComparison.Ordinal);
        (await node.GetAsync("/v1/threads", Tokens.Of("alice", "acme"))).IsProblem(401);
    }
}

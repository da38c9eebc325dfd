namespace Pipeline.Delivery.Tests;

public sealed class RunTests
{
    [Fact]
    public async Task A_run_is_accepted_found_listed_and_cancelled()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("alice");

        var started = (await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "hello", agent = "demo" })).Is(202);
        var run = started.Json.GetProperty("run").GetString()!;
        Assert.Equal("t-1", started.Json.GetProperty("thread").GetString());
        Assert.Equal("queued", started.Json.GetProperty("status").GetString());
        Assert.EndsWith("_0", started.Json.GetProperty("cursor").GetString(), StringComparison.Ordinal);
        Assert.Equal($"/v1/runs/{run}", started.Headers.Location!.ToString());

        var found = (await node.GetAsync($"/v1/runs/{run}", token)).Is(200).Json;
        Assert.Equal(
            ["run", "thread", "agent", "status", "attempt", "startedAt", "endedAt"], found.EnumerateObject().Select(p => p.Name));
        Assert.Equal("demo", found.GetProperty("agent").GetString());

        var threads = (await node.GetAsync("/v1/threads", token)).Is(200).Json.GetProperty("threads");
        Assert.Equal(run, Assert.Single(threads.EnumerateArray()).GetProperty("lastRun").GetString());

        (await node.PostAsync($"/v1/runs/{run}/cancel", token, null)).Is(202);
        var cancelled = (await node.GetAsync($"/v1/runs/{run}", token)).Json;
        Assert.Equal("cancelled", cancelled.GetProperty("status").GetString());
        Assert.NotEqual(System.Text.Json.JsonValueKind.Null, cancelled.GetProperty("endedAt").ValueKind);
    }

    [Fact]
    public async Task An_unknown_run_and_someone_elses_are_the_same_404()
    {
        await using var node = await TestNode.StartAsync();
        var started = await node.PostAsync("/v1/threads/t-1/runs", await node.TokenAsync("alice"), new { input = "hello" });
        var run = started.Is(202).Json.GetProperty("run").GetString()!;
        var bob = await node.TokenAsync("bob");

        var foreign = (await node.GetAsync($"/v1/runs/{run}", bob)).IsProblem(404);
        var unknown = (await node.GetAsync("/v1/runs/nothing", bob)).IsProblem(404);
        Assert.Equal(unknown.Text.Replace("nothing", run, StringComparison.Ordinal), foreign.Text);
        (await node.PostAsync($"/v1/runs/{run}/cancel", bob, null)).IsProblem(404);
        Assert.Equal(0, (await node.GetAsync("/v1/threads", bob)).Json.GetProperty("threads").GetArrayLength());
    }

    [Fact]
    public async Task The_same_idempotency_key_gives_the_same_run_and_another_body_is_a_422()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("alice");
        var key = ("Idempotency-Key", "k-1");

        var first = (await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "hello" }, key)).Is(202);
        var again = (await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "hello" }, key)).Is(202);
        Assert.Equal(first.Text, again.Text);

        var other = await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "other" }, key);
        Assert.Equal("Idempotency-Key", other.IsProblem(422).Field);
        (await node.PostAsync("/v1/threads/t-1/runs", await node.TokenAsync("bob"), new { input = "other" }, key)).Is(202);
    }

    [Fact]
    public async Task An_id_may_hold_what_a_path_has_to_escape()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("alice");
        const string Thread = "ä/b c?";

        var started = await node.PostAsync($"/v1/threads/{Uri.EscapeDataString(Thread)}/runs", token, new { input = "x" });

        Assert.Equal(Thread, started.Is(202).Json.GetProperty("thread").GetString());
    }
}

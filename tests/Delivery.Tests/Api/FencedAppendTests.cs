using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Tests;

public sealed class FencedAppendTests
{
    [Fact]
    public async Task A_run_that_a_worker_claimed_refuses_events_over_http()
    {
        await using var node = await TestNode.StartAsync(
            configure: builder => builder.Services.AddSingleton(new KnownAgents(["demo"], Resumable: [])));
        var token = await node.TokenAsync("alice", "events:append");
        var started = (await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "hello" })).Is(202);
        var run = started.Json.GetProperty("run").GetString()!;
        var claims = node.Services.GetRequiredService<RunClaims>();
        Assert.NotNull(await claims.ClaimAsync(
            StreamKey.Of("default", "alice"), run, TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));

        var answer = await node.PostAsync("/v1/events", token, Bodies.Append("alice", Bodies.Event(run: run, sequence: 2)));

        Assert.Equal("fenced", answer.IsProblem(409).Json.GetProperty("reason").GetString());
    }
}

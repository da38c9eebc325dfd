using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

public sealed class HealthTests
{
    [Fact]
    public async Task A_node_whose_dependencies_are_away_is_live_and_ready_and_says_what_it_lacks()
    {
        await using var node = await StartWithNothingBehindAsync();

        (await node.GetAsync("/health/live")).Is(200);
        (await node.GetAsync("/health/ready")).Is(200);
        await Eventually.HoldsAsync("both dependencies are degraded", async () =>
        {
            var dependencies = (await node.GetAsync("/status")).Is(200).Json.GetProperty("dependencies").EnumerateArray().ToList();
            return dependencies.Select(d => d.GetProperty("name").GetString()).SequenceEqual(["bus", "log"])
                && dependencies.All(d => d.GetProperty("status").GetString() == "degraded");
        });
        var status = (await node.GetAsync("/status")).Json;
        Assert.Equal("degraded", status.GetProperty("status").GetString());
        Assert.Equal(
            ["status", "state", "node", "version", "startedAt", "dependencies", "relay", "canary"], status.EnumerateObject().Select(field => field.Name));
        Assert.Equal(["lagMs", "heldBatches", "heldBytes"], status.GetProperty("relay").EnumerateObject().Select(field => field.Name));
        await Eventually.HoldsAsync("the canary is degraded too, and says why", async () =>
            (await node.GetAsync("/status")).Json.GetProperty("canary").GetProperty("reason").GetString() == "append");
        (await node.GetAsync("/health/live")).Is(200);
        (await node.GetAsync("/health/ready")).Is(200);
    }

    [Fact]
    public async Task Without_the_database_commands_answer_503_with_retry_after_but_shape_is_checked_first()
    {
        await using var node = await StartWithNothingBehindAsync();
        var token = await node.TokenAsync("alice", "events:append");

        Assert.NotNull((await node.PostAsync("/v1/threads/t-1/runs", token, new { input = "hi" })).IsProblem(503).Headers.RetryAfter);
        Assert.NotNull((await node.GetAsync("/v1/threads", token)).IsProblem(503).Headers.RetryAfter);
        (await node.PostAsync("/v1/runs/r-1/cancel", token, null)).IsProblem(503);
        (await node.PostAsync("/v1/events", token, Bodies.Append("alice", Bodies.Event()))).IsProblem(503);

        Assert.Equal("input", (await node.PostAsync("/v1/threads/t-1/runs", token, new { })).IsProblem(400).Field);
        (await node.PostAsync("/v1/events", token, new { user = "alice" })).IsProblem(400);
    }

    [Fact]
    public async Task Since_when_and_the_last_confirm_are_told()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("alice", "events:append");
        (await node.PostAsync("/v1/events", token, Bodies.Append("alice", Bodies.Event()))).Is(200);

        await Eventually.HoldsAsync("the bus has confirmed", async () =>
        {
            var status = (await node.GetAsync("/status")).Json;
            var bus = status.GetProperty("dependencies")[0];
            return status.GetProperty("status").GetString() == "ok"
                && bus.GetProperty("since").GetDateTimeOffset() >= status.GetProperty("startedAt").GetDateTimeOffset()
                && bus.GetProperty("lastConfirm").ValueKind != System.Text.Json.JsonValueKind.Null;
        });
    }

    [Fact]
    public async Task What_waits_for_the_broker_is_told_and_how_long_it_has_waited()
    {
        await using var node = await TestNode.StartAsync(new() { ["Bus:Transport"] = "rabbitmq", ["Bus:Host"] = "127.0.0.1", ["Bus:Port"] = $"{FreePort.Find()}" });
        (await node.PostAsync("/v1/events", await node.TokenAsync("alice", "events:append"), Bodies.Append("alice", Bodies.Event()))).Is(200);

        await Eventually.HoldsAsync("it lags", async () =>
        {
            var relay = (await node.GetAsync("/status")).Json.GetProperty("relay");
            return relay.GetProperty("lagMs").GetInt64() > 500
                && relay.GetProperty("heldBatches").GetInt32() >= 1
                && relay.GetProperty("heldBytes").GetInt64() > 100;
        });
    }

    [Fact]
    public async Task A_draining_node_is_live_but_not_ready()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:DrainDelay"] = "00:00:10" });
        (await node.GetAsync("/health/ready")).Is(200);

        var stop = node.Services.GetRequiredService<IHostApplicationLifetime>();
        stop.StopApplication();

        Assert.Contains("draining", (await node.GetAsync("/health/ready")).Is(503).Text, StringComparison.Ordinal);
        (await node.GetAsync("/health/live")).Is(200);
    }

    private static Task<TestNode> StartWithNothingBehindAsync() => TestNode.StartAsync(new()
    {
        ["Persistence:Provider"] = "postgres",
        ["Persistence:ConnectionString"] = $"Host=127.0.0.1;Port={FreePort.Find()};Database=x;Username=x;Password=x",
        ["Bus:Transport"] = "rabbitmq",
        ["Bus:Host"] = "127.0.0.1",
        ["Bus:Port"] = $"{FreePort.Find()}",
    });
}

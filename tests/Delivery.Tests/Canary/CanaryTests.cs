using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>A node's own event, from its append to its screen.</summary>
public sealed class CanaryTests
{
    private static readonly Dictionary<string, string?> EverySecond = new() { ["Delivery:Canary"] = "00:00:01" };

    [Fact]
    public async Task It_comes_again_and_again_and_status_tells_how_long_it_took_and_when()
    {
        await using var node = await TestNode.StartAsync(EverySecond);
        await Eventually.HoldsAsync("the node is ok", async () => (await StatusAsync(node)).GetProperty("status").GetString() == "ok");

        var canary = (await StatusAsync(node)).GetProperty("canary");
        Assert.Equal(["status", "reason", "since", "latencyMs", "lastArrival"], canary.EnumerateObject().Select(field => field.Name));
        Assert.Equal(("ok", JsonValueKind.Null), (canary.GetProperty("status").GetString(), canary.GetProperty("reason").ValueKind));
        Assert.InRange(canary.GetProperty("latencyMs").GetInt64(), 0, 2_000);
        var first = canary.GetProperty("lastArrival").GetDateTimeOffset();
        Assert.True(canary.GetProperty("since").GetDateTimeOffset() <= first);
        await Eventually.HoldsAsync(
            "another one came", async () => (await StatusAsync(node)).GetProperty("canary").GetProperty("lastArrival").GetDateTimeOffset() > first);
    }

    [Fact]
    public async Task While_the_log_takes_no_writes_the_node_is_degraded_though_no_dependency_is_and_it_stays_ready()
    {
        await using var node = await TestNode.StartAsync(EverySecond);
        await Eventually.HoldsAsync("the canary comes", () => IsAsync(node, "ok", reason: null));
        await using (var writer = new SqliteConnection(node.ConnectionString))
        {
            await writer.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = writer.BeginTransaction(deferred: false);
            await Eventually.HoldsAsync("the canary is missed", () => IsAsync(node, "degraded", "append"));

            var status = await StatusAsync(node);
            Assert.Equal("degraded", status.GetProperty("status").GetString());
            Assert.All(status.GetProperty("dependencies").EnumerateArray(), d => Assert.Equal("ok", d.GetProperty("status").GetString()));
            (await node.GetAsync("/health/live")).Is(200);
            (await node.GetAsync("/health/ready")).Is(200);
            await using var screen = await Screen.OpenAsync(node, Tokens.Of("alice"));
            Assert.Equal("[]", (await screen.FrameAsync(FrameTypes.Ready))["degraded"]!.ToJsonString());
        }

        await Eventually.HoldsAsync("the canary comes again", () => IsAsync(node, "ok", reason: null));
    }

    [Fact]
    public async Task Nodes_share_the_stream_and_each_sees_its_own()
    {
        await using var one = await TestNode.StartAsync(EverySecond);
        await using var two = await TestNode.StartAsync(new(EverySecond) { ["Persistence:ConnectionString"] = one.ConnectionString });

        foreach (var node in (TestNode[])[one, two])
        {
            await Eventually.HoldsAsync("it comes", () => IsAsync(node, "ok", reason: null));
        }

        await using var context = one.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        await Eventually.HoldsAsync("both append to one stream", async () =>
            (await context.Events.Select(row => row.Body).ToListAsync(TestContext.Current.CancellationToken))
                .Select(body => JsonSerializer.Deserialize<JsonElement>(body).GetProperty("data").GetProperty("process").GetString())
                .Distinct().Count() == 2);
        Assert.Equal(1, await context.Heads.CountAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Who_appends_every_hundredth_removes_the_oldest()
    {
        await using var node = await TestNode.StartAsync(EverySecond);
        await Eventually.HoldsAsync("the canary comes", () => IsAsync(node, "ok", reason: null));
        await using var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        var heads = context.Heads.Where(row => row.Stream == StreamKey.Canary.Value);
        await heads.ExecuteUpdateAsync(row => row.SetProperty(head => head.Head, 5_098), TestContext.Current.CancellationToken);

        await Eventually.HoldsAsync("the first thousand are gone", async () =>
            await heads.Select(head => head.Trimmed).SingleAsync(TestContext.Current.CancellationToken) == 1_000);
    }

    [Fact]
    public async Task It_is_measured_and_counts_nowhere_as_a_user_does()
    {
        await using var node = await TestNode.StartAsync(EverySecond);
        var meters = node.Services.GetRequiredService<IMeterFactory>();
        var measured = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, all) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, meters))
                {
                    all.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => measured[instrument.Name] = value);
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured[instrument.Name] = value);
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => measured[instrument.Name] = value);
        listener.Start();

        await Eventually.HoldsAsync("its latency is measured", () => measured.ContainsKey("pipeline.delivery.canary.latency"));
        listener.RecordObservableInstruments();
        Assert.Equal(0, measured["pipeline.delivery.canary.degraded"]);
        Assert.Contains("pipeline.relay.lag", measured.Keys);
        Assert.Contains("pipeline.relay.held", measured.Keys);
        Assert.Contains("pipeline.relay.held_bytes", measured.Keys);

        Assert.DoesNotContain("pipeline.delivery.connections", measured.Keys);
        Assert.DoesNotContain("pipeline.delivery.events", measured.Keys);
        Assert.DoesNotContain("pipeline.delivery.pulls", measured.Keys);
        Assert.Equal(0, node.Services.GetRequiredService<Api.Connections>().Count);
        Assert.Empty(await node.Services.GetRequiredService<AckStore>().ReadUndeliveredAsync(null, 10, TestContext.Current.CancellationToken));
        await using var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        Assert.Equal(0, await context.Runs.CountAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Its_stream_is_out_of_reach_of_tokens_and_appends()
    {
        await using var node = await TestNode.StartAsync(EverySecond);
        await Eventually.HoldsAsync("the canary comes", () => IsAsync(node, "ok", reason: null));
        var (tenant, user) = StreamKey.Canary.Split();
        var token = Tokens.Sign(new() { ["sub"] = user, ["tenant"] = tenant, ["scope"] = "events:append" });

        Assert.Empty((await node.GetAsync("/v1/events?after=0", token)).Is(200).Json.GetProperty("events").EnumerateArray());
        (await node.PostAsync("/v1/events", token, Bodies.Append(user, Bodies.Event()))).Is(200);
        Assert.Single((await node.GetAsync("/v1/events?after=0&wait=25", token)).Is(200).Json.GetProperty("events").EnumerateArray());
        await using var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        Assert.All(
            await context.Events.Where(row => row.Stream == StreamKey.Canary.Value).ToListAsync(TestContext.Current.CancellationToken),
            row => Assert.Equal("canary", row.Type));
    }

    [Fact]
    public async Task Without_one_nothing_is_appended_and_the_status_has_none()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:Canary"] = "00:00:00" });
        await Eventually.HoldsAsync("the node is ok", async () => (await StatusAsync(node)).GetProperty("status").GetString() == "ok");

        Assert.Equal(JsonValueKind.Null, (await StatusAsync(node)).GetProperty("canary").ValueKind);
        await using var context = node.Services.GetRequiredService<PipelineDatabase>().CreateContext();
        Assert.Equal(0, await context.Events.CountAsync(TestContext.Current.CancellationToken));
    }

    private static async Task<bool> IsAsync(TestNode node, string status, string? reason)
    {
        var canary = (await StatusAsync(node)).GetProperty("canary");
        return canary.GetProperty("status").GetString() == status && canary.GetProperty("reason").GetString() == reason;
    }

    private static async Task<JsonElement> StatusAsync(TestNode node) => (await node.GetAsync("/status")).Is(200).Json;
}

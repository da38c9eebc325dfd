using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.EndToEnd.Tests;

/// <summary>The faults the pipeline exists for, on real processes and servers.</summary>
[Collection(OneAtATime)]
public sealed class FaultTests
{
    /// <summary>Two seconds are promised to who has the machine, not to who shares it with another cluster's start.</summary>
    internal const string OneAtATime = "one cluster at a time";

    private const string LongRequest = "think for a long while about the answer";

    [Fact]
    public async Task The_events_of_a_worker_killed_between_commit_and_publish_arrive()
    {
        await using var cluster = await PipelineCluster.StartAsync(nodes: 1, workers: 0);
        using var stop = new CancellationTokenSource();
        var token = await cluster.TokenAsync("alice");
        var history = new History("alice", "alice/websocket");
        var reader = Readers.WebSocketAsync(() => cluster.Node.Url, token, history, stop.Token);
        var victim = await cluster.AddWorkerAsync(("Failpoints:after-commit-before-publish", "kill@3"));

        var run = await cluster.StartRunAsync(token, "t", "What is 6 * 7?");
        await victim.WaitForExitAsync(TimeSpan.FromSeconds(30));
        var orphans = await cluster.CommittedAsync("alice");

        await Eventually.HoldsAsync("what the dead worker committed is on the screen", () => history.Position >= orphans.Count);
        await Eventually.HoldsAsync(
            "another process published what the dead one owned",
            async () => await cluster.ScalarAsync<long>("select count(*) from pipeline.outbox") == 0);
        await cluster.AddWorkerAsync();
        await Eventually.HoldsAsync(
            "the run ends all the same",
            async () => await cluster.StatusOfRunAsync(token, run) is "completed" or "failed",
            TimeSpan.FromSeconds(60));
        await CheckAsync(cluster, history, stop, reader);
    }

    [Fact]
    public async Task A_worker_that_wakes_after_its_run_was_taken_over_writes_no_second_ending()
    {
        await using var cluster = await PipelineCluster.StartAsync(nodes: 1, workers: 1);
        using var stop = new CancellationTokenSource();
        var token = await cluster.TokenAsync("alice");
        var history = new History("alice", "alice/websocket");
        var reader = Readers.WebSocketAsync(() => cluster.Node.Url, token, history, stop.Token);
        var run = await cluster.StartRunAsync(token, "t", LongRequest);
        await Eventually.HoldsAsync("the run is under way", () => history.Position >= 4);

        await cluster.Workers[0].SignalAsync("STOP");
        await cluster.AddWorkerAsync();
        await Eventually.HoldsAsync(
            "another worker took the run over",
            async () => await cluster.ScalarAsync<int>("select attempt from pipeline.agent_run") > 1
                || await cluster.ScalarAsync<int>("select status from pipeline.agent_run") > 1,
            TimeSpan.FromSeconds(60));
        await cluster.Workers[0].SignalAsync("CONT");
        await Eventually.HoldsAsync(
            "the one that woke finds that the run is not its own any more",
            () => cluster.Workers[0].Output.Contains($"Run {run} is no longer attempt 1's", StringComparison.Ordinal)
                || cluster.Workers[0].Output.Contains($"Run {run}, attempt 1: lost", StringComparison.Ordinal));

        await Eventually.HoldsAsync(
            "the run has ended well: its agent can resume",
            async () => await cluster.StatusOfRunAsync(token, run) == "completed",
            TimeSpan.FromSeconds(90));
        await CheckAsync(cluster, history, stop, reader);
        Assert.Equal(1, (await cluster.CommittedAsync("alice")).Count(e => IsTerminal(e.Body)));
    }

    [Fact]
    public async Task Delivery_goes_on_within_two_seconds_when_RabbitMQ_is_stopped()
    {
        await using var rabbit = await RabbitServer.StartPrivateAsync();
        await using var cluster = await PipelineCluster.StartAsync(nodes: 2, workers: 0, rabbit: rabbit);
        using var stop = new CancellationTokenSource();
        var token = await cluster.TokenAsync("alice");
        var appender = await cluster.TokenAsync("alice", "events:append");
        var history = new History("alice", "alice/websocket");
        var reader = Readers.WebSocketAsync(() => cluster.Nodes[1].Url, token, history, stop.Token);
        await PipelineCluster.AppendAsync(cluster.Nodes[0], appender, "alice", Note(1));
        await Eventually.HoldsAsync("live before the fault", () => history.Position == 1);

        await rabbit.StopAsync();
        for (var n = 2; n <= 6; n++)
        {
            await PipelineCluster.AppendAsync(cluster.Nodes[0], appender, "alice", Note(n));
            var position = n;
            await Eventually.HoldsAsync(
                $"event {n} is there within 2 s of its commit", () => history.Position == position, TimeSpan.FromSeconds(2));
        }

        await rabbit.StartAsync();
        await PipelineCluster.AppendAsync(cluster.Nodes[0], appender, "alice", Note(7));
        await Eventually.HoldsAsync("event 7 is there", () => history.Position == 7);
        await Eventually.HoldsAsync(
            "the outbox drains after the broker came back",
            async () => await cluster.ScalarAsync<long>("select count(*) from pipeline.outbox") == 0,
            TimeSpan.FromSeconds(60));
        await CheckAsync(cluster, history, stop, reader);
    }

    [Fact]
    public async Task With_PostgreSQL_stopped_a_restarted_node_still_shakes_hands_and_says_degraded_then_catches_up()
    {
        await using var postgres = await PostgresServer.StartPrivateAsync();
        await using var cluster = await PipelineCluster.StartAsync(nodes: 1, workers: 0, postgres: postgres);
        var token = await cluster.TokenAsync("alice");
        var appender = await cluster.TokenAsync("alice", "events:append");
        await PipelineCluster.AppendAsync(cluster.Node, appender, "alice", Note(1));

        await postgres.StopAsync();
        await cluster.Node.KillAsync();
        var restarted = await cluster.AddNodeAsync();
        await cluster.AddWorkerAsync();
        await Eventually.HoldsAsync("the node has noticed", async () => await restarted.DependencyAsync("log") == "degraded");
        using var socket = await ConnectAsync(restarted.Url, token);

        var ready = await ReceiveAsync(socket);
        Assert.Equal("ready", ready.GetProperty("type").GetString());
        Assert.Equal(JsonValueKind.Null, Optional(ready, "head").ValueKind);
        Assert.Contains("log", Degraded(ready));

        await postgres.StartAsync();
        var events = await ReceiveAsync(socket, "events");
        Assert.Equal(1, events.GetProperty("events").GetArrayLength());
    }

    [Fact]
    public async Task A_node_and_a_worker_start_cold_with_both_dependencies_away_and_complete_when_they_come()
    {
        await using var postgres = await PostgresServer.StartPrivateAsync();
        await using var rabbit = await RabbitServer.StartPrivateAsync();
        await using var cluster = await PipelineCluster.StartAsync(nodes: 1, workers: 0, postgres, rabbit);
        var token = await cluster.TokenAsync("alice");
        await postgres.StopAsync();
        await rabbit.StopAsync();
        await cluster.Node.KillAsync();

        var node = await cluster.AddNodeAsync();
        await cluster.AddWorkerAsync();
        using var stop = new CancellationTokenSource();
        var history = new History("alice", "alice/websocket");
        using (var socket = await ConnectAsync(node.Url, token))
        {
            Assert.Equal("ready", (await ReceiveAsync(socket)).GetProperty("type").GetString());
        }

        var reader = Readers.WebSocketAsync(() => node.Url, token, history, stop.Token);
        await postgres.StartAsync();
        await rabbit.StartAsync();
        string? run = null;
        await Eventually.HoldsAsync(
            "a run can be started",
            async () =>
            {
                run = await cluster.StartRunAsync(token, "t", "What is 6 * 7?", key: "once");
                return true;
            },
            TimeSpan.FromSeconds(30));
        await Eventually.HoldsAsync(
            "the run completes", async () => await cluster.StatusOfRunAsync(token, run!) == "completed", TimeSpan.FromSeconds(60));
        await CheckAsync(cluster, history, stop, reader);
    }

    private static async Task CheckAsync(PipelineCluster cluster, History history, CancellationTokenSource stop, Task reader)
    {
        var committed = await cluster.CommittedAsync(history.User);
        await Eventually.HoldsAsync("the client is at the head", () => history.Position >= committed.Count);
        await stop.CancelAsync();
        await reader;
        Assert.Empty(history.Check(committed));
    }

    private static object Note(int sequence) =>
        new { id = Guid.CreateVersion7(), type = "note", thread = "t", run = "r", sequence, data = new { n = sequence } };

    private static bool IsTerminal(string body)
    {
        using var json = JsonDocument.Parse(body);
        return EventTypes.IsTerminal(json.RootElement.GetProperty("type").GetString()!);
    }

    private static async Task<ClientWebSocket> ConnectAsync(Uri node, string token)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Subprotocols.V1);
        socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        await socket.ConnectAsync(
            new UriBuilder(node) { Scheme = "ws", Path = "/v1/events", Query = "after=0" }.Uri, CancellationToken.None);
        return socket;
    }

    private static IEnumerable<string?> Degraded(JsonElement frame) =>
        frame.GetProperty("degraded").EnumerateArray().Select(item => item.GetString());

    private static JsonElement Optional(JsonElement frame, string name) =>
        frame.TryGetProperty(name, out var value) ? value : JsonDocument.Parse("null").RootElement;

    /// <summary>The next frame, or the next of a type.</summary>
    private static async Task<JsonElement> ReceiveAsync(ClientWebSocket socket, string? type = null)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[256 * 1024];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, bound.Token);
            Assert.Equal(WebSocketMessageType.Text, received.MessageType);
            var frame = JsonDocument.Parse(Encoding.UTF8.GetString(buffer, 0, received.Count)).RootElement;
            if (type is null || frame.GetProperty("type").GetString() == type)
            {
                return frame;
            }
        }
    }
}

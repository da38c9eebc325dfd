using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Tests;

/// <summary>PROTOCOL.md, "Server-sent events".</summary>
public sealed class SseTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private TestNode Node => shared.Node;

    [Fact]
    public async Task Each_event_is_a_message_without_a_name_whose_id_is_its_cursor()
    {
        var agent = new Appending(Node, "sse");
        var cursors = await agent.AppendAsync(2);
        using var response = await OpenAsync("sse", "after=0");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.True(response.Headers.CacheControl!.NoStore);

        await using var messages = Messages(response);
        var ready = await NextAsync(messages);
        Assert.Equal(FrameTypes.Ready, ready.EventType);
        Assert.Equal("0", ready.EventId);
        Assert.InRange(ready.ReconnectionInterval!.Value, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(2.5));
        foreach (var cursor in cursors)
        {
            await IsEventAsync(messages, cursor);
        }

        var live = await NextAsync(messages);
        Assert.Equal((FrameTypes.Live, cursors[^1]), (live.EventType, live.EventId));
        await IsEventAsync(messages, (await agent.AppendAsync()).Single());
    }

    [Fact]
    public async Task Last_event_id_wins_over_after_and_after_over_client()
    {
        var cursors = await new Appending(Node, "sse-resume").AppendAsync(3);
        using var response = await OpenAsync("sse-resume", $"after=0&client=c", cursors[1]);
        await using var messages = Messages(response);
        Assert.Equal(cursors[1], (await NextAsync(messages)).EventId);
        await IsEventAsync(messages, cursors[2]);

        using var after = await OpenAsync("sse-resume", $"after={cursors[0]}&client=c");
        await using var more = Messages(after);
        Assert.Equal(cursors[0], (await NextAsync(more)).EventId);
        await IsEventAsync(more, cursors[1]);
    }

    [Fact]
    public async Task A_reset_is_told_by_the_ready_message()
    {
        var cursors = await new Appending(Node, "sse-reset").AppendAsync(1);
        using var response = await OpenAsync("sse-reset", "", "zzzzzz_9");
        await using var messages = Messages(response);
        var ready = await NextAsync(messages);
        var frame = JsonNode.Parse(ready.Data)!;
        Assert.Equal((ResumeKinds.Reset, ResetReasons.Epoch), ((string?)frame["resume"], (string?)frame["reason"]));
        Assert.Equal((string?)frame["cursor"], ready.EventId);
        await IsEventAsync(messages, cursors[0]);
    }

    [Theory]
    [InlineData("Last-Event-ID", "nonsense")]
    [InlineData("Last-Event-ID", "")]
    public async Task What_is_no_cursor_is_400(string header, string value)
    {
        var answer = await Node.SendAsync(
            HttpMethod.Get, "/v1/events", Tokens.Of("u"), null, ("Accept", "text/event-stream"), (header, value));
        Assert.Equal(header, answer.IsProblem(400).Field);
    }

    [Fact]
    public async Task A_cursor_that_comes_with_a_client_id_is_its_ack()
    {
        var cursors = await new Appending(Node, "sse-ack").AppendAsync(3);
        using (var response = await OpenAsync("sse-ack", $"client=c&after={cursors[0]}"))
        {
            await using var messages = Messages(response);
            await NextAsync(messages, FrameTypes.Ready);
            await IsEventAsync(messages, cursors[1]);
        }

        await Pipeline.Testing.Eventually.HoldsAsync("the ack is stored", async () =>
        {
            using var again = await OpenAsync("sse-ack", "client=c");
            await using var messages = Messages(again);
            return (await NextAsync(messages, FrameTypes.Ready)).EventId == cursors[0];
        });
    }

    [Fact]
    public async Task Heartbeats_and_changes_of_what_is_missing_are_messages_of_their_own_names()
    {
        await using var node = await TestNode.StartAsync(new() { ["Delivery:Heartbeat"] = "00:00:01" });
        var cursor = (await new Appending(node, "sse-idle").AppendAsync()).Single();
        await node.KnowAsync("sse-idle");
        using var response = await OpenAsync(node, "sse-idle", "");
        await using var messages = Messages(response);
        await NextAsync(messages, FrameTypes.Ready);
        Assert.Equal(cursor, (await NextAsync(messages, FrameTypes.Heartbeat)).EventId);

        node.Services.GetRequiredService<Delivery.Api.Degradation>().Report(Delivery.Api.Degradation.Bus, available: false);
        var status = await NextAsync(messages, FrameTypes.Status);
        Assert.Equal("{\"type\":\"status\",\"degraded\":[\"bus\"]}", status.Data);
    }

    private Task<HttpResponseMessage> OpenAsync(string user, string query, string? lastEventId = null) =>
        OpenAsync(Node, user, query, lastEventId);

    internal static async Task<HttpResponseMessage> OpenAsync(TestNode node, string user, string query, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/events?{query}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.Of(user));
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var response = await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        return response;
    }

    internal static IAsyncEnumerator<SseItem<string>> Messages(HttpResponseMessage response) =>
        SseParser.Create(response.Content.ReadAsStream()).EnumerateAsync().GetAsyncEnumerator();

    private static async Task<SseItem<string>> NextAsync(IAsyncEnumerator<SseItem<string>> messages)
    {
        Assert.True(await messages.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20)), "the stream ended");
        return messages.Current;
    }

    /// <summary>Next message of a name; heartbeats, status and live before it are skipped.</summary>
    internal static async Task<SseItem<string>> NextAsync(IAsyncEnumerator<SseItem<string>> messages, string name)
    {
        while (true)
        {
            var message = await NextAsync(messages);
            if (message.EventType == name)
            {
                return message;
            }

            Assert.Contains(message.EventType, (string[])[FrameTypes.Live, FrameTypes.Status, FrameTypes.Heartbeat]);
        }
    }

    internal static async Task IsEventAsync(IAsyncEnumerator<SseItem<string>> messages, string cursor)
    {
        var message = await NextAsync(messages);
        Assert.Equal(SseParser.EventTypeDefault, message.EventType);
        Assert.Equal(cursor, message.EventId);
        Assert.StartsWith($"{{\"cursor\":\"{cursor}\",", message.Data, StringComparison.Ordinal);
    }
}

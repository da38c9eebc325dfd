using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.EndToEnd.Tests;

/// <summary>Clients of each transport. Each reads into a history until it is cancelled, and reconnects as a client should.</summary>
public static class Readers
{
    private static readonly HttpClient Http = new() { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>A WebSocket that stays.</summary>
    public static Task WebSocketAsync(Func<Uri> node, string token, History history, CancellationToken stop) =>
        UntilStoppedAsync(() => ReadSocketAsync(node(), token, history, Timeout.InfiniteTimeSpan, stop), history, stop);

    /// <summary>A WebSocket that drops every <paramref name="life"/> and resumes on the next node.</summary>
    public static Task DroppingAsync(
        IReadOnlyList<Uri> nodes, string token, History history, TimeSpan life, CancellationToken stop)
    {
        var next = 0;
        return UntilStoppedAsync(
            () => ReadSocketAsync(nodes[next++ % nodes.Count], token, history, life, stop), history, stop);
    }

    /// <summary>Server-sent events.</summary>
    public static Task SseAsync(Func<Uri> node, string token, History history, CancellationToken stop) =>
        UntilStoppedAsync(
            async () =>
            {
                using var request = Get(node(), $"/v1/events?after={history.Cursor}", token, "text/event-stream");
                using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
                response.EnsureSuccessStatusCode();
                await using var body = await response.Content.ReadAsStreamAsync(stop);
                await foreach (var item in SseParser.Create(body).EnumerateAsync(stop))
                {
                    if (item.EventType == SseParser.EventTypeDefault)
                    {
                        history.Receive(item.Data);
                        if (item.EventId != history.Cursor)
                        {
                            history.Violate($"the id {item.EventId} is not the event's cursor {history.Cursor}");
                        }
                    }
                    else if (item.EventType == FrameTypes.Reset)
                    {
                        history.Violate($"reset: {item.Data}");
                    }
                }
            },
            history,
            stop);

    /// <summary>Long-polled JSON.</summary>
    public static Task LongPollAsync(Func<Uri> node, string token, History history, CancellationToken stop) =>
        UntilStoppedAsync(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    using var request = Get(node(), $"/v1/events?after={history.Cursor}&wait=20", token, "application/json");
                    using var response = await Http.SendAsync(request, stop);
                    response.EnsureSuccessStatusCode();
                    using var page = JsonDocument.Parse(await response.Content.ReadAsStringAsync(stop));
                    if (page.RootElement.GetProperty("resume").GetString() == ResumeKinds.Reset)
                    {
                        history.Violate($"reset: {page.RootElement.GetRawText()}");
                    }

                    history.ReceiveFrame(page.RootElement);
                }
            },
            history,
            stop);

    private static async Task ReadSocketAsync(
        Uri node, string token, History history, TimeSpan life, CancellationToken stop)
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Subprotocols.V1);
        socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        await socket.ConnectAsync(new UriBuilder(node) { Scheme = "ws", Path = "/v1/events", Query = $"after={history.Cursor}" }.Uri, stop);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        end.CancelAfter(life);
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(chunk.AsMemory(), end.Token);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            await buffer.WriteAsync(chunk.AsMemory(0, part.Count), stop);
            if (part.EndOfMessage)
            {
                buffer.Position = 0;
                using var frame = JsonDocument.Parse(buffer);
                Take(frame.RootElement, history);
                buffer.SetLength(0);
            }
        }
    }

    private static void Take(JsonElement frame, History history)
    {
        switch (frame.GetProperty("type").GetString())
        {
            case FrameTypes.Events:
                history.ReceiveFrame(frame);
                break;
            case FrameTypes.Reset:
            case FrameTypes.Ready when frame.GetProperty("resume").GetString() == ResumeKinds.Reset:
                history.Violate($"reset: {frame.GetRawText()}");
                break;
        }
    }

    private static HttpRequestMessage Get(Uri node, string path, string token, string accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(node, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        return request;
    }

    /// <summary>
    /// Reads again and again; a broken connection is what these clients are made for. An answer that is none to a correct
    /// request is a violation.
    /// </summary>
    private static async Task UntilStoppedAsync(Func<Task> read, History history, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await read();
            }
            catch (HttpRequestException refused) when (refused.StatusCode is { } status)
            {
                history.Violate($"answered with {(int)status}");
            }
            catch (Exception exception) when (exception is HttpRequestException or WebSocketException or IOException
                or OperationCanceledException)
            {
            }

            if (stop.IsCancellationRequested)
            {
                return;
            }

            history.Ended();
            await Task.Delay(50, CancellationToken.None);
        }
    }
}

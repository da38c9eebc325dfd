using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Testing;

/// <summary>
/// Clients of each transport. Each reads into a history until it is cancelled, and reconnects as a client should: after
/// a lost connection, and after one on which not even heartbeats come.
/// </summary>
public static class Readers
{
    private static readonly HttpClient Http = new() { Timeout = Timeout.InfiniteTimeSpan };
    private static readonly TimeSpan HandshakeBound = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongPoll = TimeSpan.FromSeconds(4);

    /// <summary>A WebSocket that stays.</summary>
    public static Task WebSocketAsync(Func<Uri> node, string token, ClientHistory history, CancellationToken stop) =>
        UntilStoppedAsync(() => ReadSocketAsync(node(), token, history, Timeout.InfiniteTimeSpan, stop), history, stop);

    /// <summary>A WebSocket that drops every <paramref name="life"/> and resumes on the next node.</summary>
    public static Task DroppingAsync(
        IReadOnlyList<Uri> nodes, string token, ClientHistory history, TimeSpan life, CancellationToken stop)
    {
        var next = 0;
        return UntilStoppedAsync(
            () => ReadSocketAsync(nodes[next++ % nodes.Count], token, history, life, stop), history, stop);
    }

    /// <summary>Server-sent events.</summary>
    public static Task SseAsync(Func<Uri> node, string token, ClientHistory history, CancellationToken stop) =>
        UntilStoppedAsync(() => ReadStreamAsync(node(), token, history, stop), history, stop);

    /// <summary>Long-polled JSON.</summary>
    public static Task LongPollAsync(Func<Uri> node, string token, ClientHistory history, CancellationToken stop) =>
        UntilStoppedAsync(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await PollAsync(node(), token, history, stop);
                }
            },
            history,
            stop);

    private static async Task ReadSocketAsync(Uri node, string token, ClientHistory history, TimeSpan life, CancellationToken stop)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        end.CancelAfter(life);
        using var silence = new Silence(end.Token);
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Subprotocols.V1);
        socket.Options.AddSubProtocol(Subprotocols.BearerPrefix + token);
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(
                new UriBuilder(node) { Scheme = "ws", Path = "/v1/events", Query = $"after={history.Cursor}" }.Uri, silence.Token);
        }
        catch (WebSocketException) when ((int)socket.HttpStatusCode >= 400)
        {
            throw new HttpRequestException("the handshake was refused", null, socket.HttpStatusCode);
        }

        using var message = new MemoryStream();
        var chunk = new byte[16 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(chunk.AsMemory(), silence.Token);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            message.Write(chunk.AsSpan(0, part.Count));
            if (part.EndOfMessage)
            {
                message.Position = 0;
                using var frame = JsonDocument.Parse(message);
                Take(frame.RootElement, history, silence);
                message.SetLength(0);
            }
        }
    }

    private static async Task ReadStreamAsync(Uri node, string token, ClientHistory history, CancellationToken stop)
    {
        using var silence = new Silence(stop);
        using var request = Get(node, $"/v1/events?after={history.Cursor}", token, "text/event-stream");
        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(silence.Token);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(silence.Token))
        {
            if (item.EventType != SseParser.EventTypeDefault)
            {
                using var frame = JsonDocument.Parse(item.Data);
                Take(frame.RootElement, history, silence);
                continue;
            }

            silence.Heard();
            history.Receive(item.Data);
            if (item.EventId != history.Cursor)
            {
                history.Violate("I3", $"the id {item.EventId} is not the event's cursor {history.Cursor}");
            }
        }
    }

    private static async Task PollAsync(Uri node, string token, ClientHistory history, CancellationToken stop)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(stop);
        silence.CancelAfter(LongPoll + HandshakeBound);
        using var request = Get(node, $"/v1/events?after={history.Cursor}&wait={LongPoll.TotalSeconds}", token, "application/json");
        using var response = await Http.SendAsync(request, silence.Token);
        response.EnsureSuccessStatusCode();
        using var page = JsonDocument.Parse(await response.Content.ReadAsStringAsync(silence.Token));
        history.Come();
        if (page.RootElement.GetProperty("resume").GetString() == ResumeKinds.Reset)
        {
            history.Reset(page.RootElement.GetProperty("after").GetString()!, page.RootElement.GetProperty("reason").GetString()!);
        }

        history.ReceiveFrame(page.RootElement);
    }

    /// <summary>Takes in a frame; <c>ready</c> says how long another may be away.</summary>
    private static void Take(JsonElement frame, ClientHistory history, Silence silence)
    {
        switch (frame.GetProperty("type").GetString())
        {
            case FrameTypes.Events:
                history.ReceiveFrame(frame);
                break;
            case FrameTypes.Ready:
                history.Come();
                silence.Bound = TimeSpan.FromSeconds(3 * frame.GetProperty("heartbeat").GetInt32());
                if (frame.GetProperty("resume").GetString() == ResumeKinds.Reset)
                {
                    history.Reset(frame.GetProperty("cursor").GetString()!, frame.GetProperty("reason").GetString()!);
                }

                break;
            case FrameTypes.Reset:
                history.Reset(frame.GetProperty("cursor").GetString()!, frame.GetProperty("reason").GetString()!);
                break;
        }

        // Last: 'ready' has just said how long the next may be away.
        silence.Heard();
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
    private static async Task UntilStoppedAsync(Func<Task> read, ClientHistory history, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await read();
            }
            catch (HttpRequestException refused) when (refused.StatusCode is { } status)
            {
                history.Violate("I9", $"answered with {(int)status}");
            }
            catch (Exception exception) when (exception is HttpRequestException or WebSocketException or IOException
                or OperationCanceledException)
            {
                // Lost, or silent for too long.
            }

            if (stop.IsCancellationRequested)
            {
                return;
            }

            history.Ended();

            // The client's own back-off, as a browser has one: no condition ends it but the end of the test.
            await Task.Delay(Random.Shared.Next(20, 200), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Cancels when nothing was heard for too long.</summary>
    private sealed class Silence : IDisposable
    {
        private readonly CancellationTokenSource _source;

        public Silence(CancellationToken stop)
        {
            _source = CancellationTokenSource.CreateLinkedTokenSource(stop);
            _source.CancelAfter(HandshakeBound);
        }

        public TimeSpan Bound { get; set; } = HandshakeBound;

        public CancellationToken Token => _source.Token;

        public void Heard() => _source.CancelAfter(Bound);

        public void Dispose() => _source.Dispose();
    }
}

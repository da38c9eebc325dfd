using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

namespace Pipeline.Benchmarks;

/// <summary>Begins to listen.</summary>
/// <param name="Missed">Events that each client gets at once, in one frame.</param>
internal sealed record ListenBare(int Missed) : Request;

/// <summary>Sends further events to every client, a frame of so many after the other, as fast as all take them in.</summary>
internal sealed record Broadcast(long Events, int Unit) : Request;

/// <param name="Url">Of a node, for who connects screens.</param>
internal sealed record Listening(string Url);

/// <param name="Began">Before the first frame.</param>
internal sealed record Sent(long Began);

/// <summary>
/// The least that a node could do: Kestrel and its WebSockets. No tokens, users, log or bus; every client is sent the same bytes,
/// made beforehand, and gets back what it says. Our own screens read from it: the events have the shape and size of ours.
/// </summary>
internal sealed class BareServer : IRole<BareServer>
{
    private const string Epoch = "k3v9ab";
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);
    private static readonly string Padding = new('x', 100);
    private readonly List<WebSocket> _sockets = [];
    private WebApplication? _app;
    private byte[] _missed = [];
    private long _position;

    public static string Name => "bare";

    public static Task<BareServer> StartAsync() => Task.FromResult(new BareServer());

    public async Task<object> HandleAsync(Request request) => request switch
    {
        ListenBare listen => await ListenAsync(listen),
        Broadcast broadcast => await BroadcastAsync(broadcast),
        _ => throw new NotSupportedException($"{request}"),
    };

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync(new CancellationToken(canceled: true));
            await _app.DisposeAsync();
        }
    }

    private async Task<Listening> ListenAsync(ListenBare listen)
    {
        _missed = listen.Missed > 0 ? Frame(1, listen.Missed) : [];
        _position = listen.Missed;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");

        // With the default of 512, clients that come all at once are turned away and try again after seconds.
        builder.WebHost.UseSockets(sockets => sockets.Backlog = 4_096);
        _app = builder.Build();
        _app.UseWebSockets();
        _app.MapPost("/v1/dev/token", () => new { token = "none" });
        _app.Map("/v1/events", ServeAsync);
        await _app.StartAsync();
        return new Listening(_app.Urls.Single());
    }

    private async Task ServeAsync(HttpContext context)
    {
        // A node keeps its connections alive as often.
        using var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { SubProtocol = Subprotocols.V1, KeepAliveInterval = KeepAlive });
        lock (_sockets)
        {
            _sockets.Add(socket);
        }

        try
        {
            if (_missed.Length > 0)
            {
                await socket.SendAsync(_missed, WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
            }

            await EchoAsync(socket, context.RequestAborted);
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // The client is gone.
        }
        finally
        {
            lock (_sockets)
            {
                _sockets.Remove(socket);
            }
        }
    }

    private static async Task EchoAsync(WebSocket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[512];
        while (await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken) is { MessageType: not WebSocketMessageType.Close } part)
        {
            await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, cancellationToken);
        }
    }

    private async Task<Sent> BroadcastAsync(Broadcast broadcast)
    {
        WebSocket[] sockets;
        lock (_sockets)
        {
            sockets = [.. _sockets];
        }

        var frames = new List<byte[]>();
        for (var end = _position + broadcast.Events; _position < end; _position += broadcast.Unit)
        {
            frames.Add(Frame(_position + 1, broadcast.Unit));
        }

        var began = Stopwatch.GetTimestamp();
        foreach (var frame in frames)
        {
            await Task.WhenAll(sockets.Select(socket =>
                socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None)));
        }

        return new Sent(began);
    }

    // As EventWriter and EventEncoder of the real thing give it, for an event of the producer.
    private static byte[] Frame(long first, int count)
    {
        var events = Enumerable.Range(0, count).Select(i => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"cursor":"{{{Epoch}}}_{{{first + i}}}","id":"01990000-0000-7000-8000-000000000000","type":"agent_message","time":"2026-01-01T00:00:00.000Z","thread":"thread","run":"run","sequence":{{{first + i}}},"data":{"text":"{{{0:D19}}} {{{Padding}}}","delta":true}}"""));
        return Encoding.UTF8.GetBytes(
            $$"""{"type":"events","after":"{{Epoch}}_{{first - 1}}","events":[{{string.Join(',', events)}}],"cursor":"{{Epoch}}_{{first - 1 + count}}"}""");
    }
}

using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>
/// A connection of this node to itself that reads the reserved stream as a browser reads its user's: a real WebSocket session
/// and all behind it; in front of it there are two pipes instead of Kestrel and a network. It takes nobody's place among the
/// connections and is not counted with them.
/// </summary>
internal sealed class CanaryScreen : IDisposable
{
    private static readonly Caller Itself = new(StreamKey.Canary, Expires: null, FrozenSet<string>.Empty);

    private readonly Meter _unwatched = new("canary");
    private readonly SubscriptionServices _services;
    private readonly PushLoop _loop;
    private readonly TokenValidation _tokens;
    private readonly FeedOptions _options;

    public CanaryScreen(
        SubscriptionServices services, TokenValidation tokens, IOptions<FeedOptions> options, IOptions<AuthOptions> auth)
    {
        var metrics = new DeliveryMetrics(_unwatched);
        (_services, _tokens, _options) = (services with { Metrics = metrics }, tokens, options.Value);
        _loop = new PushLoop(services.Degradation, options, auth, metrics, services.Time);
    }

    /// <summary>Reads until it is cancelled, or the connection ends of itself.</summary>
    /// <param name="arrived">Called with the id of every event.</param>
    public async Task RunAsync(Action<Guid> arrived, CancellationToken cancellationToken)
    {
        using var pair = new SocketPair(_options.Heartbeat);
        using var lifetime = new Lifetime(cancellationToken);
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestLifetimeFeature>(lifetime);
        using var session = new WebSocketSession(pair.Server, context, _options, _services.Time);
        var reading = ReadAsync(pair.Client, arrived, lifetime);
        try
        {
            await TalkAsync(session, lifetime.RequestAborted);
        }
        finally
        {
            lifetime.Abort();
            await reading;
        }
    }

    public void Dispose() => _unwatched.Dispose();

    // From the oldest kept: what is appended before this has settled comes too.
    private async Task TalkAsync(WebSocketSession session, CancellationToken cancellationToken)
    {
        using var connection = new Connection(Itself, client: null, _services.Time);
        await using var subscription = new Subscription(_services, connection, Cursor.Oldest, cursorIsAck: false);
        await session.TalkAsync(_loop, connection, subscription, _tokens, cancellationToken);
    }

    private static async Task ReadAsync(WebSocket client, Action<Guid> arrived, Lifetime lifetime)
    {
        using var frame = new PooledBuffer(1024);
        try
        {
            while (true)
            {
                var part = await client.ReceiveAsync(frame.GetMemory(1024), lifetime.RequestAborted);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                frame.Advance(part.Count);
                if (part.EndOfMessage)
                {
                    Take(frame.Written, arrived);
                    frame.Clear();
                }
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // The connection has ended.
        }
        finally
        {
            lifetime.Abort();
        }
    }

    private static void Take(ReadOnlyMemory<byte> text, Action<Guid> arrived)
    {
        using var frame = JsonDocument.Parse(text);
        if (frame.RootElement.GetProperty("type").ValueEquals(FrameTypes.Events))
        {
            foreach (var e in frame.RootElement.GetProperty("events").EnumerateArray())
            {
                arrived(e.GetProperty("id").GetGuid());
            }
        }
    }

    /// <summary>What Kestrel would tell of the connection.</summary>
    private sealed class Lifetime(CancellationToken cancellationToken) : IHttpRequestLifetimeFeature, IDisposable
    {
        private readonly CancellationTokenSource _aborted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        public CancellationToken RequestAborted
        {
            get => _aborted.Token;
            set => throw new NotSupportedException();
        }

        public void Abort() => _aborted.Cancel();

        public void Dispose() => _aborted.Dispose();
    }
}

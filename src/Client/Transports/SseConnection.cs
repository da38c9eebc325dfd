using System.Net.ServerSentEvents;
using Pipeline.Contracts;
using System.Text.Json;

namespace Pipeline.Client;

/// <summary>A stream of server-sent events (PROTOCOL.md, section 5.2).</summary>
internal sealed class SseConnection : IConnection
{
    private readonly ServiceHttp _http;
    private readonly Opening _opening;
    private readonly HttpResponseMessage _response;
    private readonly CancellationTokenSource _end;
    private readonly SseParser<Frame> _parser;
    private readonly IAsyncEnumerator<SseItem<Frame>> _messages;
    private Task _receiving = Task.CompletedTask;

    private SseConnection(ServiceHttp http, Opening opening, HttpResponseMessage response, Stream body, CancellationToken life)
    {
        (_http, _opening, _response) = (http, opening, response);
        _end = CancellationTokenSource.CreateLinkedTokenSource(life);
        _parser = SseParser.Create(body, Read);
        _messages = _parser.EnumerateAsync(_end.Token).GetAsyncEnumerator(CancellationToken.None);
    }

    // Each is a request of its own here.
    public TimeSpan AckInterval => TimeSpan.FromSeconds(10);

    public static async Task<IConnection> OpenAsync(ServiceHttp http, Opening opening, CancellationToken life)
    {
        var response = await http.GetEventsAsync(ServiceHttp.EventStream, opening.Token, http.EventsQuery(opening.After), life);
        try
        {
            return new SseConnection(http, opening, response, await response.Content.ReadAsStreamAsync(life), life);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    public async Task<Frame> ReceiveAsync()
    {
        var receiving = _messages.MoveNextAsync().AsTask();
        _receiving = receiving;
        try
        {
            return await receiving
                ? _messages.Current.Data
                : throw new ConnectionEndedException(Lost("the stream ended", cause: null));
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw new ConnectionEndedException(Lost(exception.Message, exception));
        }
    }

    public Task AckAsync(string cursor, CancellationToken cancellationToken) => _http.AckAsync(_opening.Token, cursor, cancellationToken);

    public Task<bool> RenewAsync(string token, CancellationToken cancellationToken) => Task.FromResult(false);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _messages.DisposeAsync();
        _response.Dispose();
        _end.Dispose();
    }

    private static Frame Read(string type, ReadOnlySpan<byte> data)
    {
        switch (type)
        {
            case SseParser.EventTypeDefault:
                var item = JsonSerializer.Deserialize(data, ClientJson.Default.WireEvent) ?? throw new JsonException("an event is null");
                return new Frame { Type = FrameTypes.Events, Events = [item] };
            case FrameTypes.Ready or FrameTypes.Live or FrameTypes.Status or FrameTypes.Heartbeat or FrameTypes.Reset:
                return Frame.Read(data) with { Type = type };
            default:
                return new Frame { Type = type };
        }
    }

    /// <summary>With the least time that the service asked to wait (WHATWG HTML, 9.2.6, <c>retry</c>).</summary>
    private Ending Lost(string what, Exception? cause) => new(Ending.Lost, what)
    {
        RetryAfter = _parser.ReconnectionInterval is var retry && retry > TimeSpan.Zero ? retry : null,
        IsTheTransports = true,
        Cause = cause,
    };
}

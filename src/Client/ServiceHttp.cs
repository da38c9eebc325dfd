using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Pipeline.Client;

/// <summary>Requests to the service.</summary>
/// <param name="url">Its base.</param>
/// <param name="client">Names the reader; null for none.</param>
/// <param name="handler">Sends them; null: one of its own.</param>
internal sealed class ServiceHttp(Uri url, string? client, HttpMessageHandler? handler, TimeProvider time) : IDisposable
{
    public const string EventStream = "text/event-stream";
    public const string Json = "application/json";

    // Dialling that takes longer says nothing about the transport; it has to be told from a silent service.
    private static readonly TimeSpan DialBound = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectionLife = TimeSpan.FromMinutes(5);

    private readonly Uri _base = url.AbsolutePath.EndsWith('/') ? url : new UriBuilder(url) { Path = url.AbsolutePath + "/" }.Uri;

    /// <summary>For handshakes and requests alike; it has no bound of its own on time.</summary>
    public HttpMessageInvoker Invoker { get; } = new(
        handler ?? new SocketsHttpHandler { ConnectTimeout = DialBound, PooledConnectionLifetime = ConnectionLife },
        disposeHandler: handler is null);

    /// <summary>Naming the client is no ack on a WebSocket, and lets the service end the connection that this one replaces.</summary>
    public Uri WebSocketUrl(string? after)
    {
        var events = new UriBuilder(new Uri(_base, $"v1/events{Query(("after", after), ("client", client))}"));
        events.Scheme = events.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        return events.Uri;
    }

    /// <summary>
    /// What to read. Over HTTP a cursor that comes with a client's name counts as its ack (PROTOCOL.md, section 2), and what was
    /// received need not have been processed: so the name goes only without a cursor.
    /// </summary>
    public string EventsQuery(string? after, int? limit = null, int? wait = null) => Query(
        ("after", after), ("client", after is null ? client : null), ("limit", Text(limit)), ("wait", Text(wait)));

    /// <summary>Asks for events; the answer is read by the caller.</summary>
    /// <exception cref="ConnectionEndedException">The answer is none to read from.</exception>
    public async Task<HttpResponseMessage> GetEventsAsync(string accept, string token, string query, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Get, $"v1/events{query}", token);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        var response = await Invoker.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.OK && response.Content.Headers.ContentType?.MediaType == accept)
        {
            return response;
        }

        using (response)
        {
            throw new ConnectionEndedException(await EndingOfAsync(response, cancellationToken));
        }
    }

    /// <summary>Tells what the client has processed.</summary>
    public async Task AckAsync(string token, string cursor, CancellationToken cancellationToken)
    {
        var query = Query(("after", cursor), ("client", client), ("limit", "1"));
        using var response = await GetEventsAsync(Json, token, query, cancellationToken);
    }

    public HttpRequestMessage Request(HttpMethod method, string path, string token)
    {
        var request = new HttpRequestMessage(method, new Uri(_base, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    /// <summary>What an answer says of itself (PROTOCOL.md, section 13); null where it says nothing.</summary>
    public static async Task<ProblemBody?> ProblemOfAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellationToken), ClientJson.Default.ProblemBody);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };

    /// <summary>Of a refused handshake.</summary>
    public static TimeSpan? RetryAfter(IReadOnlyDictionary<string, IEnumerable<string>>? headers) =>
        headers is not null && headers.TryGetValue("Retry-After", out var values)
        && int.TryParse(values.FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;

    public void Dispose() => Invoker.Dispose();

    private async Task<Ending> EndingOfAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var problem = await ProblemOfAsync(response, cancellationToken);
        return Ending.OfStatus(response.StatusCode, problem?.Detail ?? problem?.Title, RetryAfter(response), isUpgrade: false);
    }

    private static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string Query(params (string Name, string? Value)[] parameters)
    {
        var given = parameters.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}");
        return $"?{string.Join('&', given)}";
    }
}

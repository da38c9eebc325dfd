using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Pipeline.Client;

/// <summary>
/// Commands over HTTP. Each may arrive twice without being done twice, so each is sent again until it was answered, a few times.
/// </summary>
internal sealed class RunCommands(ServiceHttp http, TokenSource tokens, Jitter jitter, TimeProvider time)
{
    private const int Tries = 6;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Cap = TimeSpan.FromSeconds(8);

    public Task<RunAccepted> StartAsync(string thread, StartRunBody body, string key, CancellationToken cancellationToken)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(body, ClientJson.Default.StartRunBody);
        return SendAsync($"v1/threads/{Uri.EscapeDataString(thread)}/runs", json, key, ClientJson.Default.RunAccepted, cancellationToken);
    }

    public Task<RunState> CancelAsync(string run, CancellationToken cancellationToken) =>
        SendAsync($"v1/runs/{Uri.EscapeDataString(run)}/cancel", "{}"u8.ToArray(), key: null, ClientJson.Default.RunState, cancellationToken);

    private async Task<T> SendAsync<T>(
        string path, byte[] body, string? key, JsonTypeInfo<T> json, CancellationToken cancellationToken)
    {
        var refused = false;
        for (var failures = 0; ; failures++)
        {
            var token = await tokens.GetAsync(cancellationToken);
            var outcome = await TryAsync(path, body, key, token, json, cancellationToken);
            if (outcome.Answer is { } answer)
            {
                return answer;
            }

            var isUnauthorized = outcome.Problem!.Status == (int)HttpStatusCode.Unauthorized;
            if (failures == Tries - 1 || (isUnauthorized ? refused : !IsPassing(outcome.Problem.Status)))
            {
                throw outcome.Problem;
            }

            if (isUnauthorized)
            {
                refused = true;
                tokens.Refuse(token);
                continue;
            }

            var wait = jitter.Next(failures, Cap);
            await Task.Delay(outcome.RetryAfter > wait ? outcome.RetryAfter.Value : wait, time, cancellationToken);
        }
    }

    private async Task<Outcome<T>> TryAsync<T>(
        string path, byte[] body, string? key, string token, JsonTypeInfo<T> json, CancellationToken cancellationToken)
    {
        using var bound = new CancellationTokenSource(Bound, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, bound.Token);
        try
        {
            using var request = Request(path, body, key, token);
            using var response = await http.Invoker.SendAsync(request, either.Token);
            if (response.IsSuccessStatusCode)
            {
                var answer = JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(either.Token), json);
                return new Outcome<T>(answer ?? throw new JsonException("the answer is null"), null, null);
            }

            var problem = await ServiceHttp.ProblemOfAsync(response, either.Token);
            return new Outcome<T>(default, new CommandException((int)response.StatusCode, problem), http.RetryAfter(response));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or JsonException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new Outcome<T>(default, new CommandException(0, problem: null, exception), null);
        }
    }

    private HttpRequestMessage Request(string path, byte[] body, string? key, string token)
    {
        var request = http.Request(HttpMethod.Post, path, token);
        request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(ServiceHttp.Json) } };
        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        return request;
    }

    private static bool IsPassing(int status) => status is 0 or 408 or 429 or 502 or 503 or 504;

    private readonly record struct Outcome<T>(T? Answer, CommandException? Problem, TimeSpan? RetryAfter);
}

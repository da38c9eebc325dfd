using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Pipeline.Testing;

/// <summary>An agent in another language: appends over HTTP and repeats what was not answered, with the same ids.</summary>
/// <param name="node">Where the next try goes.</param>
/// <param name="token">With scope <c>events:append</c>.</param>
public sealed class HttpProducer(Func<Uri> node, string token, string user, History history)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private int _retries;

    /// <summary>How often a request was repeated.</summary>
    public int Retries => Volatile.Read(ref _retries);

    /// <summary>Appends a whole run, some events a request; returns when every one is acknowledged, or at the stop.</summary>
    /// <param name="pause">Between two requests.</param>
    public async Task RunAsync(string thread, string run, int events, TimeSpan pause, CancellationToken stop)
    {
        for (var sequence = 1; sequence <= events && !stop.IsCancellationRequested; sequence += 2)
        {
            var batch = Enumerable.Range(sequence, Math.Min(2, events - sequence + 1)).Select(n => Event(thread, run, n, n == events)).ToList();
            foreach (var (id, _) in batch)
            {
                history.Attempt(user, id);
            }

            await UntilAcknowledgedAsync([.. batch.Select(e => e.Body)], stop);
            await Task.Delay(pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Appends one event of a run; returns when it is acknowledged, or at the stop.</summary>
    /// <param name="last">Whether it ends the run.</param>
    public async Task AppendAsync(string thread, string run, int sequence, bool last, CancellationToken stop)
    {
        var (id, body) = Event(thread, run, sequence, last);
        history.Attempt(user, id);
        await UntilAcknowledgedAsync([body], stop);
    }

    private static (Guid Id, object Body) Event(string thread, string run, int sequence, bool last)
    {
        var id = Guid.CreateVersion7();
        return (id, new
        {
            id,
            type = last ? "agent_completed" : "plan_revised",
            thread,
            run,
            sequence,
            data = new { result = $"{run}/{sequence} – größer ✓" },
        });
    }

    private async Task UntilAcknowledgedAsync(object[] events, CancellationToken stop)
    {
        for (; !stop.IsCancellationRequested; Interlocked.Increment(ref _retries))
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(node(), "/v1/events"))
                {
                    Content = JsonContent.Create(new { user, events }),
                };
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                using var response = await Http.SendAsync(request, stop);
                if (response.IsSuccessStatusCode)
                {
                    await AcknowledgeAsync(response, stop);
                    return;
                }

                if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
                {
                    history.Violate("I1", $"{user}: an append was answered with {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(stop)}");
                    return;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                // Not answered: whether it is committed is not known.
            }

            await Task.Delay(Random.Shared.Next(50, 300), CancellationToken.None);
        }
    }

    private async Task AcknowledgeAsync(HttpResponseMessage response, CancellationToken stop)
    {
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(stop);
        foreach (var stored in answer.GetProperty("events").EnumerateArray())
        {
            history.Acknowledge(user, stored.GetProperty("id").GetGuid(), stored.GetProperty("cursor").GetString()!);
        }
    }
}

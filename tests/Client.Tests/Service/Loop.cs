using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>An application's loop over a client's events, and all that it saw. The client is its own.</summary>
internal sealed class Loop : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<AgentEvent> _events = [];
    private readonly List<ClientState> _states = [];

    private Loop(AgentEventsClient client, Func<AgentEvent, Task> body)
    {
        Client = client;
        client.StateChanged += state =>
        {
            lock (_states)
            {
                _states.Add(state);
            }
        };
        Ended = Task.Run(() => RunAsync(body));
    }

    public AgentEventsClient Client { get; }

    /// <summary>Ends with what the enumeration threw.</summary>
    public Task Ended { get; }

    public IReadOnlyList<AgentEvent> Events
    {
        get
        {
            lock (_events)
            {
                return [.. _events];
            }
        }
    }

    public IReadOnlyList<ClientState> States
    {
        get
        {
            lock (_states)
            {
                return [.. _states];
            }
        }
    }

    public IEnumerable<long> Positions => Events.Select(e => e.Position);

    public static Loop Over(AgentEventsOptions options, Func<AgentEvent, Task>? body = null) =>
        new(new AgentEventsClient(options), body ?? (_ => Task.CompletedTask));

    /// <summary>Options of tests: every wait is as short as it may be.</summary>
    public static AgentEventsOptions Options(Uri url, string user, Transports transports = Transports.All, string? after = "0") => new()
    {
        Url = url,
        Token = _ => ValueTask.FromResult(Service.Token(user)),
        After = after,
        Transports = transports,
        Random = new FixedRandom(0.01),
    };

    public Task HasAsync(int count, TimeSpan? within = null) =>
        Eventually.HoldsAsync($"the loop has seen {count} events", () => Events.Count >= count || ThrowIfEnded(), within);

    public Task IsAsync(ClientStatus status) =>
        Eventually.HoldsAsync($"the client is {status}", () => Client.State.Status == status || ThrowIfEnded());

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Client.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync(Func<AgentEvent, Task> body)
    {
        await foreach (var item in Client.ReadAsync(_stop.Token))
        {
            lock (_events)
            {
                _events.Add(item);
            }

            await body(item);
        }
    }

    private bool ThrowIfEnded() => Ended.IsFaulted ? throw Ended.Exception!.InnerException! : false;
}

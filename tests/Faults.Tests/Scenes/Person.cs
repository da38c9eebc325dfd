using System.Net.Http.Headers;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>A user, and the run of notes that is appended for it over HTTP.</summary>
internal sealed class Person(PipelineCluster cluster, History history, string name, string token, string appendToken)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(15) };

    private readonly string _run = $"notes-{Guid.CreateVersion7():N}";
    private HttpProducer? _producer;
    private int _sequence;

    public string Name => name;

    public string Token => token;

    /// <summary>With scope <c>events:append</c>.</summary>
    public string AppendToken => appendToken;

    /// <summary>Where appends go; any node that lives unless set.</summary>
    public Func<Uri>? Through { get; set; }

    /// <summary>Appends one event and returns when it is acknowledged; it is repeated until then.</summary>
    public Task AppendAsync(CancellationToken cancellationToken = default) => AppendAsync(last: false, cancellationToken);

    /// <summary>Appends one event after the other, each to its end.</summary>
    public async Task KeepAppendingAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await AppendAsync(CancellationToken.None);
        }
    }

    /// <summary>How often an append had to be repeated.</summary>
    public int Retries => _producer?.Retries ?? 0;

    /// <summary>Whether every client of this user is at the head within the time.</summary>
    public async Task SeesEverythingAsync(TimeSpan? within = null) =>
        await SeesAsync((await cluster.CommittedAsync(name)).Head, within ?? TimeSpan.FromSeconds(30));

    /// <summary>Whether every client of this user is at that position within the time.</summary>
    public Task SeesAsync(long position, TimeSpan within)
    {
        var clients = history.Clients.Where(client => client.User == name).ToList();
        return Eventually.HoldsAsync(
            $"every client of {name} is at {position}", () => clients.TrueForAll(client => client.Position >= position), within);
    }

    /// <summary>Appends and sees it everywhere within two seconds: all is well.</summary>
    public async Task IsServedAsync()
    {
        await AppendAsync();
        await SeesEverythingAsync(TimeSpan.FromSeconds(2));
    }

    /// <summary>Asks for a run of the demo agent in a thread of its own, until it is answered.</summary>
    public async Task<string> AskAsync(string input = "What is 6 * 7?", string? agent = null)
    {
        var thread = $"asked-{Guid.CreateVersion7():N}";
        history.Ask(name, thread);
        string? run = null;
        await Eventually.HoldsAsync(
            "the run is accepted",
            async () => (run = await PipelineCluster.StartRunAsync(Node, token, thread, input, agent, key: thread)) is not null,
            TimeSpan.FromSeconds(60));
        return run!;
    }

    /// <summary>How many runs have not ended, the notes among them.</summary>
    public Task<long> OpenRunsAsync(PipelineCluster truth) => truth.ScalarAsync<long>(
        $"select count(*) from pipeline.agent_run where status < 2 and stream like '%:{name}'");

    /// <summary>Asks for the end of a run.</summary>
    public async Task CancelAsync(string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cluster.Node.Url, $"/v1/runs/{run}/cancel"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Appends a run of its own that is no part of what is judged, and returns its last position.</summary>
    public async Task<long> AppendUnrecordedAsync(int events)
    {
        var elsewhere = new History();
        await Producer(elsewhere).RunAsync("lost", $"lost-{Guid.CreateVersion7():N}", events, TimeSpan.Zero, CancellationToken.None);
        return elsewhere.Acknowledged.Max(ack => Cursor.TryParse(ack.Cursor, out var cursor) ? cursor.Position : 0);
    }

    /// <summary>Ends the notes, if there are any.</summary>
    public async Task FinishAsync()
    {
        if (_sequence > 0)
        {
            await AppendAsync(last: true, CancellationToken.None);
            _sequence = 0;
        }
    }

    private Uri Node => (Through ?? (() => cluster.Node.Url))();

    private HttpProducer Producer(History of) => new(() => Node, appendToken, name, of);

    private Task AppendAsync(bool last, CancellationToken cancellationToken) =>
        (_producer ??= Producer(history)).AppendAsync("notes", _run, ++_sequence, last, cancellationToken);
}

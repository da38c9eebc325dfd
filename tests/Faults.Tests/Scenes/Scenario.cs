using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>What one test plays on a cluster: its people, their clients, and the history that is judged at the end.</summary>
internal sealed class Scenario(PipelineCluster cluster) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Person> _people = [];
    private readonly List<Task> _readers = [];

    public PipelineCluster Cluster => cluster;

    public History History { get; } = new();

    /// <summary>A new user with a client of each transport, of which the second and the third read from other nodes.</summary>
    public async Task<Person> EnterAsync(string user = "alice")
    {
        var person = await AddAsync(user);
        var nodes = cluster.Nodes.Select(node => node.ClientUrl).ToList();
        _readers.Add(Readers.WebSocketAsync(() => nodes[0], person.Token, History.Client(person.Name, $"{person.Name}/websocket"), _stop.Token));
        _readers.Add(Readers.SseAsync(() => nodes[^1], person.Token, History.Client(person.Name, $"{person.Name}/sse"), _stop.Token));
        _readers.Add(Readers.LongPollAsync(() => nodes[0], person.Token, History.Client(person.Name, $"{person.Name}/long-poll"), _stop.Token));
        await person.AppendAsync();
        await person.SeesEverythingAsync();
        return person;
    }

    /// <summary>A new user without any client. The name gets a suffix: scenarios may share a cluster.</summary>
    public async Task<Person> AddAsync(string user)
    {
        var name = $"{user}-{Guid.CreateVersion7():N}";
        var person = new Person(
            cluster, History, name, await cluster.TokenAsync(name), await cluster.TokenAsync(name, "events:append"));
        _people.Add(person);
        return person;
    }

    /// <summary>Another client of a person, which the scenario reads until its end.</summary>
    public ClientHistory Read(Person person, string name, Func<ClientHistory, CancellationToken, Task> reader, bool stays = true)
    {
        var history = History.Client(person.Name, $"{person.Name}/{name}", stays);
        _readers.Add(reader(history, _stop.Token));
        return history;
    }

    /// <summary>Waits until every client has everything and every run has ended, then holds all of it against the log.</summary>
    /// <param name="terms">What is due beyond what always is.</param>
    /// <param name="epoch">Of the history that counts; null for whatever it is.</param>
    /// <param name="truth">Where the log is now, if the cluster's database was replaced.</param>
    public async Task<Verdict> JudgeAsync(JudgeTerms? terms = null, string? epoch = null, PipelineCluster? truth = null)
    {
        truth ??= cluster;
        var logs = new Dictionary<string, CommittedLog>();
        foreach (var person in _people)
        {
            await person.FinishAsync();
            await Eventually.HoldsAsync(
                $"the runs of {person.Name} have ended", async () => await person.OpenRunsAsync(truth) == 0, TimeSpan.FromSeconds(90));
            logs[person.Name] = (await truth.CommittedAsync(person.Name)) with { Epoch = epoch };
            await person.SeesAsync(logs[person.Name].Head, TimeSpan.FromSeconds(30));
        }

        await StopAsync();
        var verdict = Checker.Judge(History, logs, terms);
        Assert.Empty(verdict.Violations);
        return verdict;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_readers);
    }
}

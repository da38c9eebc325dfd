using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging.Tests;

/// <summary>A process as the pipeline's hosts are: a log on SQLite, and the bus as configured.</summary>
internal sealed class BusHost : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly string _file;
    private bool _stopped;
    private long _lastId = 1_000_000;

    private BusHost(IHost host, string file)
    {
        _host = host;
        _file = file;
    }

    /// <summary>The log's file; a host that is given it is another process on the same database.</summary>
    public string File => _file;

    public RecordedPages Pages => Get<RecordedPages>();

    public RecordedCommands Commands => Get<RecordedCommands>();

    public BusHealth Health => Get<BusHealth>();

    public RecordedLogs Logs => Get<RecordedLogs>();

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>A host that subscribes to pages on the in-memory transport, unless told otherwise.</summary>
    public static async Task<BusHost> StartAsync(
        Action<IDictionary<string, string?>>? settings = null, Action<PipelineBusBuilder>? takes = null, string name = "test")
    {
        var file = Path.Combine(Path.GetTempPath(), $"pipeline-bus-{Guid.CreateVersion7():n}.db");
        var configuration = new Dictionary<string, string?>
        {
            ["Persistence:Provider"] = "sqlite",
            ["Persistence:ConnectionString"] = $"Data Source={file}",
            ["Persistence:MigrateAtStart"] = "true",
            ["Bus:Transport"] = "memory",
        };
        settings?.Invoke(configuration);
        file = configuration["Persistence:ConnectionString"]!["Data Source=".Length..];

        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(configuration);
        var logs = new RecordedLogs();
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddProvider(logs);
        builder.Services.AddSingleton(logs);
        builder.Services.AddSingleton<RecordedPages>();
        builder.Services.AddSingleton<RecordedCommands>();
        builder.Services.AddPipelinePersistence(name);
        builder.Services.AddPipelineBus(name, takes ?? (bus => bus.SubscribePages<RecordedPages>()));
        var host = new BusHost(builder.Build(), file);
        await host._host.StartAsync();
        return host;
    }

    /// <summary>Appends one event of the user's to the log, and so to the outbox.</summary>
    public Task AppendAsync(string user, string text) =>
        AppendAsync(new AgentThinking { Tenant = "default", User = user, Thread = "t", Run = "r", Text = text });

    public Task AppendAsync(AgentEvent @event) =>
        Get<EventLog>().AppendAsync([Get<EventEncoder>().Encode(@event)], TestContext.Current.CancellationToken);

    /// <summary>How many outbox rows there are, whoever owns them.</summary>
    public async Task<int> OutboxRowsAsync()
    {
        await using var context = Get<PipelineDatabase>().CreateContext();
        return await context.Outbox.CountAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Hands committed events to the relay, as an append does; their outbox row is gone already.</summary>
    public void HandOver(params CommittedRange[] ranges) => HandOver(command: null, ranges);

    public void HandOver(CommittedCommand? command, params CommittedRange[] ranges) =>
        Assert.True(Get<OutboxHandover>().TryOffer(new CommittedBatch(Interlocked.Increment(ref _lastId), 7, ranges, command)));

    public async ValueTask DisposeAsync()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(_file)!, $"{Path.GetFileName(_file)}*"))
        {
            System.IO.File.Delete(file);
        }
    }
}

/// <summary>What a node received, pages with events and beacons apart.</summary>
internal sealed class RecordedPages : IPageSubscriber
{
    private readonly Lock _lock = new();
    private readonly List<BusPage> _pages = [];
    private readonly List<BusPage> _beacons = [];

    public int Rebounds { get; private set; }

    /// <summary>A page is taken in only when this is set.</summary>
    public ManualResetEventSlim Hold { get; set; } = new(initialState: true);

    public IReadOnlyList<BusPage> Pages => Copy(_pages);

    public IReadOnlyList<BusPage> Beacons => Copy(_beacons);

    /// <summary>Whether the first call was <see cref="OnRebound"/>.</summary>
    public bool ReboundCameFirst { get; private set; }

    /// <summary>Positions of a stream in the order of arrival, with the bodies.</summary>
    public IReadOnlyList<(long Position, string Body)> Of(StreamKey stream) =>
        [.. Pages.SelectMany(page => page.Streams).Where(part => part.Stream == stream.Value)
            .SelectMany(part => part.Bodies.Select((body, i) => (part.First + i, Batches.Text(body))))];

    public void OnPage(BusPage page)
    {
        Hold.Wait(TestContext.Current.CancellationToken);
        lock (_lock)
        {
            (page.Streams.Count > 0 ? _pages : _beacons).Add(page);
        }
    }

    public void OnRebound()
    {
        lock (_lock)
        {
            ReboundCameFirst |= Rebounds == 0 && _pages.Count + _beacons.Count == 0;
            Rebounds++;
        }
    }

    private List<BusPage> Copy(List<BusPage> pages)
    {
        lock (_lock)
        {
            return [.. pages];
        }
    }
}

/// <summary>What a worker was told. <see cref="Hold"/> keeps its handler busy.</summary>
internal sealed class RecordedCommands : IRunCommandHandler
{
    private readonly Lock _lock = new();
    private readonly List<string> _started = [];
    private readonly List<string> _cancelled = [];

    public Task Hold { get; set; } = Task.CompletedTask;

    public Exception? Failure { get; set; }

    public IReadOnlyList<string> Started => Copy(_started);

    public IReadOnlyList<string> Cancelled => Copy(_cancelled);

    public async Task StartAsync(StartRun command, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _started.Add(command.Run);
        }

        await Hold;
        if (Failure is not null)
        {
            throw Failure;
        }
    }

    public void Cancel(CancelRun command)
    {
        lock (_lock)
        {
            _cancelled.Add(command.Run);
        }
    }

    private List<string> Copy(List<string> runs)
    {
        lock (_lock)
        {
            return [.. runs];
        }
    }
}

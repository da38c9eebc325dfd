using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Worker.Tests;

/// <summary>What a scripted agent does; a test swaps it.</summary>
public sealed class AgentScript
{
    public Func<AgentRunContext, CancellationToken, Task> Body { get; set; } = (_, _) => Task.CompletedTask;
}

public sealed class ScriptedAgent(AgentScript script) : IAgent
{
    public string Name => "scripted";
    public bool CanResume => false;
    public Task RunAsync(AgentRunContext context, CancellationToken cancellationToken) => script.Body(context, cancellationToken);
}

public sealed class ResumableAgent(AgentScript script) : IAgent
{
    public string Name => "resumable";
    public bool CanResume => true;
    public Task RunAsync(AgentRunContext context, CancellationToken cancellationToken) => script.Body(context, cancellationToken);
}

/// <summary>One worker process, as far as it goes without a bus; the agents do what <see cref="Script"/> says.</summary>
public sealed class TestWorker : IAsyncDisposable
{
    /// <summary>Setting of the agent that this worker does not have.</summary>
    public const string Lacks = "Test:Lacks";

    private readonly ServiceProvider _services;
    private readonly ErrorLog _errors = new();
    private bool _stopped;

    public TestWorker(string provider, string connectionString, TimeProvider time, IReadOnlyDictionary<string, string?> settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Persistence:Provider"] = provider,
            ["Persistence:ConnectionString"] = connectionString,
            ["Worker:ScanInterval"] = "00:00:00.2",
            ["Persistence:ProcessLease"] = "00:00:02",
            ["Worker:Lease"] = "00:00:03",
            ["Worker:CancelGrace"] = "00:00:00.3",
            ["Worker:StopGrace"] = "00:00:00",
            ["Worker:DemoPace"] = "0",
        }).AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection();
        services.AddSingleton(time).AddSingleton<IConfiguration>(configuration);
        services.AddLogging(logging => logging.AddProvider(_errors));
        services.AddSingleton(Script);
        services.AddPipelinePersistence("test").AddAgentWorker();
        if (settings.GetValueOrDefault(Lacks) != "scripted")
        {
            services.AddAgent<ScriptedAgent>();
        }

        if (settings.GetValueOrDefault(Lacks) != "resumable")
        {
            services.AddAgent<ResumableAgent>();
        }

        _services = services.BuildServiceProvider(validateScopes: true);
    }

    public AgentScript Script { get; } = new();

    public RunCommands Commands => Get<RunCommands>();

    /// <summary>Everything logged as an error.</summary>
    public IReadOnlyCollection<string> Errors => _errors.Lines;

    /// <summary>The errors so far, which a test expected.</summary>
    public IReadOnlyCollection<string> TakeErrors()
    {
        var lines = _errors.Lines.ToList();
        _errors.Lines.Clear();
        return lines;
    }

    internal RunScheduler Scheduler => Get<RunScheduler>();

    internal LeaseWatch Watch => Get<LeaseWatch>();

    internal RunSlots Slots => Get<RunSlots>();

    public T Get<T>() where T : notnull => _services.GetRequiredService<T>();

    public async Task StartAsync()
    {
        await Get<ProcessLease>().StartAsync(TestContext.Current.CancellationToken);
        await Scheduler.StartAsync(TestContext.Current.CancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        _stopped = true;
        await Scheduler.StopAsync(cancellationToken);
        await Get<ProcessLease>().StopAsync(cancellationToken);
    }

    /// <summary>Nudges this worker, as the bus would.</summary>
    public Task NudgeAsync(RunKey run)
    {
        var (tenant, user) = run.Stream.Split();
        return Commands.StartAsync(new StartRun { Tenant = tenant, User = user, Run = run.Run }, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
        {
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            await StopAsync(bound.Token);
        }

        await _services.DisposeAsync();
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Lines.Enqueue($"{formatter(state, exception)} {exception}");
            }
        }

        public void Dispose() { }
    }
}

using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Benchmarks;

/// <summary>What a .NET team's own process is: the log and a relay of its own.</summary>
internal sealed class Producer : IRole<Producer>
{
    private readonly IHost _host;
    private readonly Persistence.EventLog _log;
    private readonly EventEncoder _encoder;
    private readonly Appender _appender;

    private Producer(IHost host)
    {
        _host = host;
        _log = host.Services.GetRequiredService<Persistence.EventLog>();
        _encoder = host.Services.GetRequiredService<EventEncoder>();
        _appender = new Appender(AppendAsync);
    }

    public static string Name => "producer";

    public static async Task<Producer> StartAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.KeepOffReplies();
        builder.Services.AddPipelinePersistence("benchmark");
        builder.Services.AddPipelineBus("benchmark", _ => { });
        var host = builder.Build();
        await host.StartAsync();
        return new Producer(host);
    }

    public async Task<object> HandleAsync(Request request) => await _appender.RunAsync((AppendLoad)request);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private Task AppendAsync(AppendUnit unit)
    {
        var events = new NewEvent[unit.Events];
        for (var i = 0; i < events.Length; i++)
        {
            events[i] = _encoder.Encode(new AgentMessage
            {
                Tenant = "default",
                User = unit.User,
                Thread = "thread",
                Run = "run",
                Sequence = unit.FirstSequence + i,
                Text = unit.Text,
                Delta = true,
            });
        }

        return _log.AppendAsync(events, CancellationToken.None);
    }
}

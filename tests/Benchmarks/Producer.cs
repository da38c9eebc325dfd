using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>What a .NET team's own process is: the log and a relay of its own. Its events have about 300 bytes.</summary>
internal sealed class Producer : IAsyncDisposable
{
    private static readonly byte[] Data = JsonSerializer.SerializeToUtf8Bytes(new { text = new string('x', 120), delta = true });
    private readonly IHost _host;

    private Producer(IHost host) => _host = host;

    public EventLog Log => _host.Services.GetRequiredService<EventLog>();

    public static async Task<Producer> StartAsync(PipelineCluster cluster)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(cluster.Settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        builder.Logging.ClearProviders().AddConsole().SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddPipelinePersistence("benchmark");
        builder.Services.AddPipelineBus("benchmark", _ => { });
        var host = builder.Build();
        await host.StartAsync();
        return new Producer(host);
    }

    /// <summary>Consecutive events of one run.</summary>
    public NewEvent[] Encode(string user, string run, long firstSequence, int count)
    {
        var encoder = _host.Services.GetRequiredService<EventEncoder>();
        var events = new NewEvent[count];
        for (var i = 0; i < count; i++)
        {
            events[i] = encoder.Encode(
                new EventEnvelope
                {
                    Id = Guid.CreateVersion7(),
                    Type = EventTypes.AgentMessage,
                    Tenant = "default",
                    User = user,
                    Thread = "thread",
                    Run = run,
                    Sequence = firstSequence + i,
                    Time = null,
                    Position = 0,
                },
                Data);
        }

        return events;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}

using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Benchmarks;

/// <summary>Appends units of events to streams <c>PREFIX-0</c> and up, each a run of its own.</summary>
/// <param name="Writers">So many units are under way at once, each of another stream; not used with <paramref name="PerSecond"/>.</param>
/// <param name="Unit">Events in a unit.</param>
/// <param name="Seconds">For how long.</param>
/// <param name="PerSecond">Events a second, due at even intervals whatever becomes of those before; null: as fast as it goes.</param>
/// <param name="Head">Events that each stream has already, not of this producer.</param>
internal sealed record AppendLoad(
    string Prefix, int Streams, int Writers, int Unit, double Seconds, double? PerSecond = null, long Head = 0) : Request;

/// <param name="Heads">Events acknowledged so far, by stream.</param>
/// <param name="Events">Of this load.</param>
/// <param name="Durable">From the call to the acknowledgement of a unit.</param>
internal sealed record Appended(long[] Heads, long Events, long Began, double Seconds, Latency Durable)
{
    public double Rate => Events / Seconds;
}

/// <summary>
/// What a .NET team's own process is: the log and a relay of its own. Its events have about 300 bytes; each carries the moment of
/// the call that appended it.
/// </summary>
internal sealed class Producer : IRole<Producer>
{
    private static readonly string Padding = new('x', 100);
    private readonly Dictionary<string, long[]> _heads = [];
    private readonly IHost _host;
    private readonly Persistence.EventLog _log;
    private readonly EventEncoder _encoder;

    private Producer(IHost host)
    {
        _host = host;
        _log = host.Services.GetRequiredService<Persistence.EventLog>();
        _encoder = host.Services.GetRequiredService<EventEncoder>();
    }

    public static string Name => "producer";

    public static async Task<Producer> StartAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddPipelinePersistence("benchmark");
        builder.Services.AddPipelineBus("benchmark", _ => { });
        var host = builder.Build();
        await host.StartAsync();
        return new Producer(host);
    }

    public async Task<object> HandleAsync(Request request)
    {
        var load = (AppendLoad)request;
        if (!_heads.TryGetValue(load.Prefix, out var heads))
        {
            _heads[load.Prefix] = heads = [.. Enumerable.Repeat(load.Head, load.Streams)];
        }

        var began = Stopwatch.GetTimestamp();
        var before = heads.Sum();
        var durable = load.PerSecond is { } rate
            ? await AppendPacedAsync(load, heads, rate)
            : await AppendAsFastAsItGoesAsync(load, heads);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return new Appended(heads, heads.Sum() - before, began, seconds, Latency.Of(durable));
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private async Task<List<float>> AppendAsFastAsItGoesAsync(AppendLoad load, long[] heads)
    {
        var began = Stopwatch.GetTimestamp();
        var durable = await Task.WhenAll(Enumerable.Range(0, load.Writers).Select(writer => Task.Run(async () =>
        {
            var own = new List<float>();
            for (var stream = writer; Stopwatch.GetElapsedTime(began).TotalSeconds < load.Seconds; stream = Next(stream, writer, load))
            {
                own.Add(await AppendAsync(load, stream, heads[stream] + 1));
                heads[stream] += load.Unit;
            }

            return own;
        })));
        return [.. durable.SelectMany(own => own)];
    }

    // A writer has every so many-th stream to itself.
    private static int Next(int stream, int writer, AppendLoad load) =>
        stream + load.Writers < load.Streams ? stream + load.Writers : writer;

    private async Task<List<float>> AppendPacedAsync(AppendLoad load, long[] heads, double rate)
    {
        var began = Stopwatch.GetTimestamp();
        var appends = new List<Task<float>>();
        var next = (long[])heads.Clone();
        for (var n = 0; n < load.Seconds * rate / load.Unit; n++)
        {
            while (Stopwatch.GetElapsedTime(began).TotalSeconds * rate < n * load.Unit)
            {
                await Task.Delay(1);
            }

            var stream = n % load.Streams;
            appends.Add(AppendAsync(load, stream, next[stream] + 1));
            next[stream] += load.Unit;
        }

        var durable = await Task.WhenAll(appends);
        next.CopyTo(heads, 0);
        return [.. durable];
    }

    private async Task<float> AppendAsync(AppendLoad load, int stream, long firstSequence)
    {
        var called = Stopwatch.GetTimestamp();
        var user = $"{load.Prefix}-{stream}";
        var unit = new NewEvent[load.Unit];
        for (var i = 0; i < unit.Length; i++)
        {
            unit[i] = _encoder.Encode(new AgentMessage
            {
                Tenant = "default",
                User = user,
                Thread = "thread",
                Run = "run",
                Sequence = firstSequence + i,
                Text = $"{called:D19} {Padding}",
                Delta = true,
            });
        }

        await _log.AppendAsync(unit, CancellationToken.None);
        return (float)Stopwatch.GetElapsedTime(called).TotalMilliseconds;
    }
}

using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// The process's two connections. One that publishes may be stopped by the broker's alarms, acknowledgements included:
/// hence another that consumes. In memory both are the same bus. Starts with the broker away.
/// </summary>
internal sealed partial class BusConnections : IHostedService, IDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogger<BusConnections> _logger;
    private Task _started = Task.CompletedTask;

    public BusConnections(
        BusName name, ProcessIdentity identity, IOptions<BusOptions> options, ILoggerFactory loggers, ILogger<BusConnections> logger)
    {
        _logger = logger;
        Publish = BusFactory.Create(options.Value, $"{name.Value}@{identity.Host} publish", loggers);
        Consume = options.Value.Transport == BusOptions.Memory
            ? Publish
            : BusFactory.Create(options.Value, $"{name.Value}@{identity.Host} consume", loggers);
    }

    public IBusControl Publish { get; }

    public IBusControl Consume { get; }

    private IEnumerable<IBusControl> Both => Consume == Publish ? [Publish] : [Consume, Publish];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _started = Task.WhenAll(Both.Select(ConnectAsync));
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(StopTimeout);
        try
        {
            await _started.WaitAsync(bound.Token);
            await Task.WhenAll(Both.Select(bus => bus.StopAsync(bound.Token))).WaitAsync(bound.Token);
        }
        catch (Exception exception)
        {
            LogStopFailed(StopTimeout.TotalSeconds, exception.Message);
        }
    }

    public void Dispose() => _stopping.Dispose();

    // A bus counts as started once its connection is up, however long that takes.
    private async Task ConnectAsync(IBusControl bus)
    {
        try
        {
            await bus.StartAsync(_stopping.Token);
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            // Stopped before the broker was ever there.
        }
        catch (Exception exception)
        {
            LogStartFailed(exception.Message);
        }
    }

    [LoggerMessage(2000, LogLevel.Warning, "A bus connection did not start: {Problem}. It is tried again with every publish.")]
    private partial void LogStartFailed(string problem);

    [LoggerMessage(2001, LogLevel.Information, "The bus did not stop within {Seconds} s; the broker will notice the closed connections: {Problem}")]
    private partial void LogStopFailed(double seconds, string problem);
}

/// <summary>Name of the host in the RabbitMQ UI.</summary>
internal sealed record BusName(string Value);

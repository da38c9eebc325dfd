using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Pipeline.Messaging;

/// <summary>
/// Connects the process's queues, and again those that stay silent although the broker confirms what this process
/// publishes: MassTransit backs off for up to 30 s, gives up after a refused login, and never learns of a deleted binding.
/// </summary>
internal sealed partial class ConsumeWatch(
    IEnumerable<ConsumeEndpoint> endpoints, BusHealth health, TimeProvider time, ILogger<ConsumeWatch> logger) : BackgroundService
{
    /// <summary>How long a queue may be silent while the broker answers.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ConsumeEndpoint[] _endpoints = [.. endpoints];
    private readonly ILogger<ConsumeWatch> _logger = logger;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var endpoint in _endpoints)
        {
            Connect(endpoint);
        }

        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(_endpoints.Select(endpoint => endpoint.DisconnectAsync(cancellationToken)));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            // What nobody publishes cannot arrive. One that is slow to stop keeps no other from being connected.
            if (health.HasConfirmedWithin(Patience))
            {
                await Task.WhenAll(_endpoints.Select(endpoint => LookAtAsync(endpoint, stoppingToken)));
            }
        }
    }

    private async Task LookAtAsync(ConsumeEndpoint endpoint, CancellationToken stoppingToken)
    {
        if (endpoint.IsUnheard && endpoint.NoteUnheard())
        {
            LogUnheard(endpoint.Queue, Patience.TotalSeconds);
        }

        if (endpoint.IsStuck)
        {
            LogSilent(endpoint.Queue, Patience.TotalSeconds);
            await endpoint.DisconnectAsync(stoppingToken);
            Connect(endpoint);
        }
    }

    private void Connect(ConsumeEndpoint endpoint)
    {
        try
        {
            endpoint.Connect();
        }
        catch (Exception exception)
        {
            LogConnectFailed(exception, endpoint.Queue);
        }
    }

    [LoggerMessage(2010, LogLevel.Warning, "Nothing arrives through {Queue} for {Seconds} s although the broker confirms; the queue is declared anew")]
    private partial void LogSilent(string queue, double seconds);

    [LoggerMessage(2015, LogLevel.Warning, "What this process publishes is confirmed and has not come through {Queue} for {Seconds} s; until it does, events are read from the log")]
    private partial void LogUnheard(string queue, double seconds);

    [LoggerMessage(2011, LogLevel.Error, "{Queue} can't be consumed; tried again")]
    private partial void LogConnectFailed(Exception exception, string queue);
}

using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>Where this node stands in its life: starting, ready, draining. No dependency has a say.</summary>
internal sealed class NodeState(
    IHostApplicationLifetime lifetime, IOptions<DeliveryOptions> options, TimeProvider time) : IHostedLifecycleService
{
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    public string Name { get; } = $"{Environment.MachineName}/{Environment.ProcessId}";

    public string Current =>
        lifetime.ApplicationStopping.IsCancellationRequested ? "draining"
        : lifetime.ApplicationStarted.IsCancellationRequested ? "ready"
        : "starting";

    /// <summary>Goes on serving, not ready, until a load balancer has noticed.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) =>
        Task.Delay(options.Value.DrainDelay, time, cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

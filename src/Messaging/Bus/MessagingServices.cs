using Microsoft.Extensions.DependencyInjection;
using Pipeline.Contracts;

namespace Pipeline.Messaging;

public static class MessagingServices
{
    /// <summary>
    /// Adds this process's relay (every process that appends has one), and what <paramref name="configure"/> asks for;
    /// options from section <c>Bus</c>. On RabbitMQ two connections: publish and consume.
    /// </summary>
    /// <param name="name">Name of the host in the RabbitMQ UI, for example <c>agents-worker</c>.</param>
    public static IServiceCollection AddPipelineBus(
        this IServiceCollection services, string name, Action<PipelineBusBuilder> configure) => throw new NotImplementedException();
}

/// <summary>What a host takes from the bus.</summary>
public sealed class PipelineBusBuilder
{
    /// <summary>Gives every page to the singleton <typeparamref name="T"/> through this process's own queue.</summary>
    public PipelineBusBuilder SubscribePages<T>() where T : class, IPageSubscriber => throw new NotImplementedException();

    /// <summary>Gives commands to the singleton <typeparamref name="T"/>.</summary>
    public PipelineBusBuilder HandleRunCommands<T>() where T : class, IRunCommandHandler => throw new NotImplementedException();
}

/// <summary>Takes pages in, in the order of arrival, one at a time. Must not block for long and must not throw.</summary>
public interface IPageSubscriber
{
    void OnPage(BusPage page);

    /// <summary>
    /// This process's queue was declared and bound (again): whatever was published before may have been missed. Called
    /// before the first page, after a reconnect, and when a message was unreadable.
    /// </summary>
    void OnRebound();
}

/// <summary>Takes commands in.</summary>
public interface IRunCommandHandler
{
    /// <summary>Returns when the run's claim is committed, or at once when this worker is full or the run is not to be had.</summary>
    Task StartAsync(StartRun command, CancellationToken cancellationToken);

    void Cancel(CancelRun command);
}

/// <summary>What this process knows of the bus. Thread-safe.</summary>
public sealed class BusHealth
{
    /// <summary>The consuming connection is up and the queue is bound; true where the host consumes nothing.</summary>
    public bool CanConsume => throw new NotImplementedException();

    /// <summary>The last publish was confirmed, or none was tried since the publishing connection came up.</summary>
    public bool CanPublish => throw new NotImplementedException();

    /// <summary>When the broker last confirmed a publish; null for never.</summary>
    public DateTimeOffset? LastConfirm => throw new NotImplementedException();

    /// <summary>Raised when one of the above booleans changed.</summary>
    public event Action? Changed { add => throw new NotImplementedException(); remove => throw new NotImplementedException(); }
}

using Pipeline.Contracts;

namespace Pipeline.Messaging;

/// <summary>Takes commands in.</summary>
public interface IRunCommandHandler
{
    /// <summary>Returns when the run's claim is committed, or at once when this worker is full or the run is not to be had.</summary>
    Task StartAsync(StartRun command, CancellationToken cancellationToken);

    void Cancel(CancelRun command);
}

using Pipeline.Contracts;
using Pipeline.Messaging;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Takes the bus's nudges in. What a nudge asks for stands in the run's row, so one that fails is left to the scan and
/// the lease renewal.
/// </summary>
public sealed partial class RunCommands : IRunCommandHandler
{
    private readonly RunSlots _slots;
    private readonly RunFinder _finder;
    private readonly ILogger<RunCommands> _logger;

    internal RunCommands(RunSlots slots, RunFinder finder, ILogger<RunCommands> logger)
    {
        _slots = slots;
        _finder = finder;
        _logger = logger;
    }

    /// <inheritdoc/>
    public async Task StartAsync(StartRun command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);

        // While older runs wait, the newest must not pass them by its message.
        if (_finder.HasBacklog)
        {
            _finder.Wake();
            return;
        }

        try
        {
            await _slots.TryClaimAsync(new RunKey(StreamKey.Of(command.Tenant, command.User), command.Run));
        }
        catch (Exception exception)
        {
            LogStartFailed(command.Run, exception.GetBaseException().Message);
        }
    }

    /// <inheritdoc/>
    public void Cancel(CancelRun command)
    {
        ArgumentNullException.ThrowIfNull(command);
        _slots.Find(new RunKey(StreamKey.Of(command.Tenant, command.User), command.Run))?.Stop(StopReason.Cancelled);
    }

    [LoggerMessage(3040, LogLevel.Warning, "Run {Run} could not be claimed now and is left to the next scan: {Error}")]
    private partial void LogStartFailed(string run, string error);
}

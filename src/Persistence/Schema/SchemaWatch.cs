using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>
/// Waits for the schema, makes it where <c>Persistence:MigrateAtStart</c> says so, and stops the host when it was read and
/// is incompatible; nothing else of the database stops a host.
/// </summary>
internal sealed partial class SchemaWatch(
    SchemaCheck check, LogAdmin admin, IOptions<PersistenceOptions> options, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<SchemaWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // How long a start may wait for a migration before the host goes on without it.
    private static readonly TimeSpan StartBound = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ILogger _logger = logger;
    private string _lastProblem = "";

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        if (options.Value.MigrateAtStart)
        {
            // The migration goes on when the start no longer waits for it: one that is cut off is one to clean up after.
            await Task.WhenAny(_tried.Task, Task.Delay(StartBound, time, cancellationToken));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!await TryAsync(stoppingToken))
        {
            _tried.TrySetResult();
            await Task.Delay(Pause, time, stoppingToken);
        }

        _tried.TrySetResult();
    }

    /// <summary>True: there is nothing left to wait for.</summary>
    private async Task<bool> TryAsync(CancellationToken cancellationToken)
    {
        try
        {
            var state = await check.ReadAsync(cancellationToken);
            if (state == SchemaState.Absent && options.Value.MigrateAtStart)
            {
                await admin.MigrateAsync(cancellationToken);
                state = await check.ReadAsync(cancellationToken);
            }

            return Judge(state);
        }
        catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
        {
            Say(problem.Message);
            return false;
        }
    }

    private bool Judge(SchemaState state)
    {
        switch (state)
        {
            case SchemaState.Compatible:
                LogReady();
                return true;
            case SchemaState.Incompatible:
                LogIncompatible();
                Environment.ExitCode = 1;
                lifetime.StopApplication();
                return true;
            default:
                Say("the schema is missing or older than this build; run 'migrate'");
                return false;
        }
    }

    private void Say(string problem)
    {
        // Once a problem, not once a second.
        if (_lastProblem != problem)
        {
            _lastProblem = problem;
            LogWaiting(problem);
        }
    }

    [LoggerMessage(1001, LogLevel.Information, "The schema is there")]
    private partial void LogReady();

    [LoggerMessage(1002, LogLevel.Warning, "Waiting for the schema: {Problem}")]
    private partial void LogWaiting(string problem);

    [LoggerMessage(1003, LogLevel.Critical, "The schema was changed by a newer build in a way this one does not know; run a newer build. Stopping")]
    private partial void LogIncompatible();
}

using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>Takes a claimed run from <c>agent_started</c> to its one terminal event, or gives it back.</summary>
internal sealed partial class RunExecutor(
    AgentCatalog agents, IServiceScopeFactory scopes, RunClaims runs, RunHistory history, EventLog log, Failpoints failpoints,
    WorkerMetrics metrics, IOptions<WorkerOptions> options, TimeProvider time, ILogger<RunExecutor> logger)
{
    private readonly WorkerOptions _options = options.Value;
    private readonly ILogger<RunExecutor> _logger = logger;

    /// <summary>Returns when the run has ended, was given back or lost. The agent's task may outlive that, see <see cref="ActiveRun.Agent"/>.</summary>
    public async Task ExecuteAsync(ActiveRun run)
    {
        var key = run.Claim.Key.Run;
        using var activity = WorkerMetrics.Activities.StartActivity("agent run");
        activity?.SetTag("pipeline.run", key).SetTag("pipeline.agent", run.Claim.Agent)
            .SetTag("pipeline.attempt", run.Claim.Attempt);
        LogBegan(key, run.Claim.Agent, run.Claim.Attempt);
        var status = "lost";
        try
        {
            var ending = await RunToEndingAsync(run);
            status = ending is null ? await ReleaseAsync(run) : await EndAsync(run, ending);
        }
        catch (OperationCanceledException) when (run.Reason == StopReason.Lost)
        {
            // Not ours any more: whoever has it ends it.
        }
        finally
        {
            activity?.SetTag("pipeline.status", status);
            metrics.Ended(status);
            LogEnded(key, run.Claim.Attempt, status, run.Journal.LastSequence);
        }
    }

    /// <summary>The event that shall end the run; null: the run is to be given back.</summary>
    private async Task<AgentEvent?> RunToEndingAsync(ActiveRun run)
    {
        if (run.Claim.CancelRequested)
        {
            return new AgentCancelled();
        }

        var agent = agents.Get(run.Claim.Agent);
        var context = new AgentRunContext(run, history, log);
        using (time.CreateTimer(_ => run.Stop(StopReason.TimedOut), null, _options.MaxRunTime, Timeout.InfiniteTimeSpan))
        {
            run.Agent = Task.Run(() => RunAgentAsync(run, agent, context));
            await Task.WhenAny(run.Agent, run.Stopped);
        }

        await WaitForAgentAsync(run);
        return Judge(run, context);
    }

    private async Task RunAgentAsync(ActiveRun run, AgentDescription description, AgentRunContext context)
    {
        await run.Journal.WriteAsync(new AgentStarted { Agent = run.Claim.Agent }, run.Token);
        await using var scope = scopes.CreateAsyncScope();
        var agent = (IAgent)scope.ServiceProvider.GetRequiredService(description.Type);
        await agent.RunAsync(context, run.Token);
    }

    private async Task WaitForAgentAsync(ActiveRun run)
    {
        var grace = run.Reason == StopReason.Lost ? TimeSpan.Zero : _options.CancelGrace;
        await run.Agent.WaitAsync(grace, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!run.Agent.IsCompleted)
        {
            LogIgnored(run.Claim.Key.Run, run.Claim.Agent, grace);
        }
    }

    private AgentEvent? Judge(ActiveRun run, AgentRunContext context)
    {
        switch (run.Reason)
        {
            case StopReason.Lost:
                throw new RunLostException($"Run {run.Claim.Key.Run} was lost");
            case StopReason.Released:
                return null;
            case StopReason.Cancelled:
                return new AgentCancelled();
            case StopReason.TimedOut:
                return Failed(FailureReasons.TimedOut, $"The run took longer than the {_options.MaxRunTime:c} that the worker allows");
            case StopReason.WorkerStopping:
                return Failed(FailureReasons.WorkerLost, "The worker was stopped and the agent cannot resume; ask again");
        }

        if (run.Agent.IsCompletedSuccessfully)
        {
            return new AgentCompleted { Result = context.Result };
        }

        var exception = run.Agent.Exception?.InnerException;
        LogThrew(exception, run.Claim.Key.Run, run.Claim.Agent);
        return Failed(FailureReasons.AgentError, exception?.Message ?? "The agent gave up: an operation of its own was cancelled");
    }

    private async Task<string> EndAsync(ActiveRun run, AgentEvent ending)
    {
        run.IsEnding = true;
        failpoints.Hit(Failpoints.BeforeEnding);
        try
        {
            await run.Journal.EndAsync(ending);
        }
        catch (InvalidEventException exception)
        {
            ending = Failed(FailureReasons.AgentError, $"The agent's result cannot be stored: {exception.Message}");
            await run.Journal.EndAsync(ending);
        }

        return ending switch
        {
            AgentCompleted => "completed",
            AgentCancelled => "cancelled",
            _ => "failed",
        };
    }

    private async Task<string> ReleaseAsync(ActiveRun run)
    {
        run.IsEnding = true;
        await run.Journal.SealAsync();
        try
        {
            return await runs.ReleaseAsync(run.Claim.Key, run.Claim.Attempt, run.Journal.Lost) switch
            {
                RunStatus.Queued => "released",
                RunStatus.Cancelled => "cancelled",
                _ => "lost",
            };
        }
        catch (Exception exception) when (run.Reason != StopReason.Lost)
        {
            // No harm: the lease runs out and another worker takes the run over.
            LogReleaseFailed(exception, run.Claim.Key.Run);
            return "lost";
        }
    }

    private static AgentFailed Failed(string reason, string error) => new()
    {
        Reason = reason,
        Error = ErrorText.Shorten(error),
    };

    [LoggerMessage(3020, LogLevel.Information, "Run {Run} of agent {Agent} began, attempt {Attempt}")]
    private partial void LogBegan(string run, string agent, int attempt);

    [LoggerMessage(3021, LogLevel.Information, "Run {Run}, attempt {Attempt}: {Status}, {Sequence} events")]
    private partial void LogEnded(string run, int attempt, string status, long sequence);

    [LoggerMessage(3022, LogLevel.Warning, "Agent {Agent} threw in run {Run}")]
    private partial void LogThrew(Exception? exception, string run, string agent);

    [LoggerMessage(3023, LogLevel.Warning, "Agent {Agent} did not stop within {Grace} of being asked to; run {Run} goes on without it, its slot stays taken until it returns")]
    private partial void LogIgnored(string run, string agent, TimeSpan grace);

    [LoggerMessage(3024, LogLevel.Warning, "Run {Run} could not be given back to the queue; another worker resumes it when its lease expires")]
    private partial void LogReleaseFailed(Exception exception, string run);
}

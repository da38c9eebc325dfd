using Microsoft.Extensions.Options;

namespace Pipeline.Agents.Worker;

/// <summary>Section <c>Worker</c> of the configuration.</summary>
public sealed class WorkerOptions
{
    public const string Section = "Worker";

    /// <summary>Most runs this worker executes at a time, 1 to 10,000; further ones stay queued for any worker. Default 64.</summary>
    public int MaxConcurrentRuns { get; set; } = 64;

    /// <summary>Time between looks for queued runs and expired leases, 0.05 to 2 s. Default 1 s.</summary>
    public TimeSpan ScanInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Length of a run's lease, whole seconds, 1 to 300 s; renewed four times in that. A run whose worker was silent for
    /// so long is resumed or ended by another. Default 10 s.
    /// </summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Executions of a run after which a lost one is ended instead of resumed, so that a run that kills its worker does
    /// not go round for ever; 1 to 1,000. Default 10.
    /// </summary>
    public int MaxAttempts { get; set; } = 10;

    /// <summary>Longest time one attempt at a run may take, 1 s to 30 days; then <c>agent_failed {reason: timed_out}</c>. Default 6 h.</summary>
    public TimeSpan MaxRunTime { get; set; } = TimeSpan.FromHours(6);

    /// <summary>How long an agent may go on after its token was cancelled before the run ends without it, 0 to 300 s. Default 5 s.</summary>
    public TimeSpan CancelGrace { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a stopping worker lets runs that cannot be resumed go on, 0 to 3,600 s; then they end with
    /// <c>agent_failed {reason: worker_lost}</c>. Give the process this, <see cref="CancelGrace"/> and 30 s more before
    /// it is killed (<c>terminationGracePeriodSeconds</c>, <c>stop_grace_period</c>). Default 15 s.
    /// </summary>
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Most events of streamed text a second and run, 1 to 100. Default 10.</summary>
    public int DeltasPerSecond { get; set; } = 10;

    /// <summary>How fast the built-in <c>demo</c> agent works: factor on its pauses, 0 (none) to 10. Default 1.</summary>
    public double DemoPace { get; set; } = 1;
}

internal sealed class WorkerOptionsValidator : IValidateOptions<WorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        var errors = new List<string>();
        Check(nameof(options.MaxConcurrentRuns), options.MaxConcurrentRuns, 1, 10_000);
        Check(nameof(options.MaxAttempts), options.MaxAttempts, 1, 1_000);
        Check(nameof(options.DeltasPerSecond), options.DeltasPerSecond, 1, 100);
        Check(nameof(options.DemoPace), options.DemoPace, 0, 10);
        CheckTime(nameof(options.ScanInterval), options.ScanInterval, 0.05, 2);
        CheckTime(nameof(options.Lease), options.Lease, 1, 300);
        CheckTime(nameof(options.MaxRunTime), options.MaxRunTime, 1, 30 * 24 * 3600);
        CheckTime(nameof(options.CancelGrace), options.CancelGrace, 0, 300);
        CheckTime(nameof(options.StopGrace), options.StopGrace, 0, 3600);
        if (options.Lease.Ticks % TimeSpan.TicksPerSecond != 0)
        {
            errors.Add($"Worker:Lease is '{options.Lease}'; use whole seconds, such as 00:00:10");
        }

        if (options.Lease < 3 * options.ScanInterval)
        {
            errors.Add($"Worker:Lease is '{options.Lease}', too short for Worker:ScanInterval '{options.ScanInterval}'; use at least three times that");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string setting, double value, double least, double most)
        {
            if (!(value >= least && value <= most))
            {
                errors.Add(FormattableString.Invariant($"Worker:{setting} is '{value}'; use {least} to {most}"));
            }
        }

        void CheckTime(string setting, TimeSpan value, double least, double most)
        {
            if (value.TotalSeconds < least || value.TotalSeconds > most)
            {
                errors.Add(FormattableString.Invariant(
                    $"Worker:{setting} is '{value}'; use {TimeSpan.FromSeconds(least)} to {TimeSpan.FromSeconds(most)}"));
            }
        }
    }
}

using Pipeline.Agents.Worker;

namespace Pipeline.Worker.Tests;

public sealed class WorkerOptionsTests
{
    private readonly WorkerOptionsValidator _validator = new();

    [Fact]
    public void The_defaults_are_valid() => Assert.True(_validator.Validate(null, new WorkerOptions()).Succeeded);

    [Fact]
    public void Every_error_is_listed_at_once_with_setting_value_and_remedy()
    {
        var result = _validator.Validate(null, new WorkerOptions
        {
            MaxConcurrentRuns = 0,
            MaxAttempts = 0,
            DeltasPerSecond = 500,
            DemoPace = double.NaN,
            ScanInterval = TimeSpan.Zero,
            Lease = TimeSpan.FromSeconds(2.5),
            MaxRunTime = TimeSpan.Zero,
            CancelGrace = TimeSpan.FromSeconds(-1),
            StopGrace = TimeSpan.FromDays(1),
        });

        var errors = result.Failures!.ToList();
        Assert.Equal(9, errors.Count);
        Assert.Contains("Worker:MaxConcurrentRuns is '0'; use 1 to 10000", errors);
        Assert.Contains("Worker:Lease is '00:00:02.5000000'; use whole seconds, such as 00:00:10", errors);
    }

    [Fact]
    public void A_lease_shorter_than_three_scans_is_refused()
    {
        var result = _validator.Validate(null, new WorkerOptions { Lease = TimeSpan.FromSeconds(2) });
        Assert.Contains("Worker:ScanInterval", Assert.Single(result.Failures!), StringComparison.Ordinal);
    }
}

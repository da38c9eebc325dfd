using Microsoft.Extensions.Time.Testing;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class DependencyHistoryTests
{
    [Fact]
    public async Task It_remembers_when_a_dependency_went_and_when_it_came_back()
    {
        var time = new FakeTimeProvider();
        var started = time.GetUtcNow();
        var degradation = new Degradation();
        degradation.Report("bus", true);
        degradation.Report("log", true);
        using var history = new DependencyHistory(degradation, time);
        await history.StartAsync(TestContext.Current.CancellationToken);

        time.Advance(TimeSpan.FromMinutes(1));
        degradation.Report("log", false);
        time.Advance(TimeSpan.FromMinutes(1));
        degradation.Report("log", false);

        Assert.Equal((false, started.AddMinutes(1)), history.Of("log"));
        Assert.Equal((true, started), history.Of("bus"));

        degradation.Report("log", true);
        Assert.Equal((true, started.AddMinutes(2)), history.Of("log"));
    }
}

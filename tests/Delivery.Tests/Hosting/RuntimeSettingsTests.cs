namespace Pipeline.Delivery.Tests;

/// <summary>What Directory.Build.props tells the runtime, in every program of this repository: a name it does not know is ignored.</summary>
public sealed class RuntimeSettingsTests
{
    [Fact]
    public void The_runtime_knows_the_budget_of_young_garbage() =>
        Assert.Equal(16L * 1024 * 1024, GC.GetConfigurationVariables()["GCGen0MaxBudget"]);
}

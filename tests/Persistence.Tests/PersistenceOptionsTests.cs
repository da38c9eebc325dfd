using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence.Tests;

/// <summary>A wrong configuration is told whole, at start.</summary>
public sealed class PersistenceOptionsTests
{
    [Fact]
    public void Every_mistake_is_listed_with_its_setting_its_value_and_the_remedy()
    {
        var failures = Failures(
            ("Provider", "postgres"), ("ConnectionString", "Database=x;Multiplexing=true"), ("CommandTimeout", "00:00:00.5"),
            ("LockTimeout", "00:02:00"), ("MaxEventBytes", "10"), ("HandoverBytes", "1"), ("ProcessLease", "00:00:00"),
            ("Retention", "00:00:01"));

        Assert.Equal(7, failures.Count);
        Assert.Contains("Persistence:ConnectionString names no Host; add Host=…", failures);
        Assert.Contains("Persistence:LockTimeout is '00:02:00'; use 00:00:00.1000000 to 00:01:00", failures);
        Assert.Contains("Persistence:MaxEventBytes is '10'; use 1024 to 4194304 bytes", failures);
    }

    [Theory]
    [InlineData("oracle", "x", "Persistence:Provider is 'oracle'; use postgres or sqlite")]
    [InlineData("sqlite", "Data Source=:memory:", "names no file")]
    [InlineData("sqlite", "", "for example to 'Data Source=pipeline.db'")]
    [InlineData("postgres", "Host=a;Multiplexing=true", "has Multiplexing=true")]
    [InlineData("postgres", "Host=a;Nonsense=1", "is not understood by postgres")]
    public void The_database_must_be_one_the_log_can_live_in(string provider, string connectionString, string problem) =>
        Assert.Contains(problem, Assert.Single(Failures(("Provider", provider), ("ConnectionString", connectionString))), StringComparison.Ordinal);

    [Fact]
    public void A_wait_for_a_lock_ends_before_its_statement_does() => Assert.Equal(
        ["Persistence:LockTimeout is '00:00:05'; use less than CommandTimeout ('00:00:05'), which would end the wait first"],
        Failures(("ConnectionString", "Host=localhost"), ("CommandTimeout", "00:00:05")));

    [Fact]
    public void Defaults_with_a_connection_string_are_right() => Assert.Empty(Failures(("ConnectionString", "Host=localhost")));

    private static IReadOnlyList<string> Failures(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            settings.ToDictionary(setting => $"Persistence:{setting.Key}", setting => (string?)setting.Value)).Build();
        using var services = new ServiceCollection().AddLogging().AddSingleton<IConfiguration>(configuration)
            .AddPipelinePersistence("test").BuildServiceProvider();
        try
        {
            services.GetRequiredService<IStartupValidator>().Validate();
            return [];
        }
        catch (OptionsValidationException exception)
        {
            return [.. exception.Failures];
        }
    }
}

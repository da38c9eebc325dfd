using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Messaging.Tests;

public sealed class BusOptionsTests
{
    [Fact]
    public void The_defaults_are_valid() => Assert.True(Validate(new BusOptions()).Succeeded);

    [Fact]
    public void In_memory_needs_no_broker() =>
        Assert.True(Validate(new BusOptions { Transport = "memory", Host = "", Username = "", Password = "" }).Succeeded);

    [Fact]
    public void Every_error_is_listed_at_once_with_setting_value_and_remedy()
    {
        var result = Validate(new BusOptions
        {
            Host = " ",
            Port = 0,
            VirtualHost = "",
            Username = "",
            Password = "",
            TypedEvents = "some",
            PublishTimeout = TimeSpan.FromMinutes(5),
            PublishWindow = 65,
            PageBytes = 1,
            Sweep = TimeSpan.FromMinutes(1),
            NodeQueueBytes = 10,
        });

        string[] settings =
        [
            "Bus:Host", "Bus:Port", "Bus:VirtualHost", "Bus:Username", "Bus:Password", "Bus:TypedEvents",
            "Bus:PublishTimeout", "Bus:PublishWindow", "Bus:PageBytes", "Bus:Sweep", "Bus:NodeQueueBytes",
        ];
        Assert.Equal(settings, result.Failures!.Select(failure => failure.Split(' ')[0]));
        Assert.Contains("Bus:PublishWindow is 65; use 1 to 64.", result.Failures!);
    }

    [Fact]
    public void The_port_of_TLS_without_TLS_is_an_error() =>
        Assert.Contains("Bus:UseTls", Validate(new BusOptions { Port = 5671 }).FailureMessage, StringComparison.Ordinal);

    [Fact]
    public void An_unknown_transport_is_an_error() =>
        Assert.Contains("Bus:Transport is 'kafka'", Validate(new BusOptions { Transport = "kafka" }).FailureMessage, StringComparison.Ordinal);

    [Theory]
    [InlineData(null, LogLevel.Critical)]
    [InlineData(LogLevel.Debug, LogLevel.Debug)]
    public void What_MassTransit_says_of_its_own_attempts_is_left_out_unless_told_otherwise(LogLevel? told, LogLevel expected)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => _ = told is null ? logging : logging.AddFilter("MassTransit", told.Value));
        services.AddPipelineBus("test", _ => { });

        using var provider = services.BuildServiceProvider();
        var rules = provider.GetRequiredService<IOptions<LoggerFilterOptions>>().Value.Rules;

        Assert.Equal(expected, rules.Single(rule => rule.CategoryName == "MassTransit").LogLevel);
    }

    private static ValidateOptionsResult Validate(BusOptions options) => new BusOptionsValidator().Validate(null, options);
}

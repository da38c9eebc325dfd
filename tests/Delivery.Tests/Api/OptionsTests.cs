using Pipeline.Messaging;

namespace Pipeline.Delivery.Tests;

public sealed class OptionsTests
{
    [Fact]
    public async Task Every_wrong_setting_of_every_section_is_listed_at_once_with_its_value_and_the_remedy()
    {
        var errors = await StartErrorsAsync(new()
        {
            ["Auth:SigningKey"] = "short",
            ["Auth:ClockSkew"] = "01:00:00",
            ["Auth:UserClaim"] = " ",
            ["Delivery:AllowedOrigins:0"] = "app.example.com/",
            ["Delivery:MaxAppendBytes"] = "1",
            ["Delivery:DrainDelay"] = "01:00:00",
            ["Delivery:Canary"] = "00:00:00.5",
            ["Persistence:Provider"] = "oracle",
            ["Bus:Transport"] = "pigeon",
        });

        foreach (var expected in (string[])
            [
                "Auth:SigningKey has 5 bytes", "Auth:ClockSkew is 01:00:00", "Auth:UserClaim is empty",
                "Delivery:AllowedOrigins:0 is 'app.example.com/'", "Delivery:MaxAppendBytes is 1", "Delivery:DrainDelay is 01:00:00",
                "Delivery:Canary is 00:00:00.5000000; give 00:00:01 to 00:05:00, or 00:00:00 for no canary",
                "Persistence:Provider", "Bus:Transport",
            ])
        {
            Assert.True(errors.Exists(error => error.Contains(expected, StringComparison.Ordinal)), $"{expected} is not in {string.Join('\n', errors)}");
        }
    }

    [Fact]
    public async Task Values_that_cannot_be_read_are_all_named_and_hide_no_other_section()
    {
        var errors = await StartErrorsAsync(new()
        {
            ["Delivery:DrainDelay"] = "soon", ["Delivery:MaxAppendBytes"] = "many", ["Auth:DevToken"] = "perhaps", ["Bus:Transport"] = "pigeon",
        });

        Assert.Contains("Delivery:DrainDelay is 'soon'; give a time like 00:00:10", errors);
        Assert.Contains("Delivery:MaxAppendBytes is 'many'; give a number in range", errors);
        Assert.Contains("Auth:DevToken is 'perhaps'; give true or false", errors);
        Assert.Contains(errors, error => error.StartsWith("Bus:Transport", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_delivery_setting_is_checked_whichever_class_it_belongs_to()
    {
        var errors = await StartErrorsAsync(new()
        {
            ["Delivery:Heartbeat"] = "soon", ["Delivery:DrainDelay"] = "01:00:00", ["Failpoints:nowhere"] = "kill", ["Failpoints:before-confirm"] = "explode",
        });
        Assert.Contains("Delivery:Heartbeat is 'soon'; give a time like 00:00:10", errors);
        Assert.Contains(errors, error => error.StartsWith("Delivery:DrainDelay is 01:00:00", StringComparison.Ordinal));
        Assert.Contains(errors, error => error.StartsWith("Failpoints:nowhere is unknown; one of ", StringComparison.Ordinal));
        Assert.Contains("Failpoints:before-confirm is 'explode'; use kill, stop or throw, and @N for the N-th time", errors);

        errors = await StartErrorsAsync(new() { ["Delivery:FeedBytes"] = "1", ["Delivery:MaxConnectionsPerUser"] = "0", ["Auth:ClockSkew"] = "01:00:00" });
        Assert.Equal(["Auth:ClockSkew is", "Delivery:FeedBytes is", "Delivery:MaxConnectionsPerUser is"], errors.Select(error => string.Join(' ', error.Split(' ')[..2])).Order());
    }

    [Fact]
    public async Task A_host_that_a_service_stopped_for_a_reason_ends_with_its_code()
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-delivery-").FullName;
        try
        {
            var code = await HostRunner.RunAsync([], () =>
            {
                var app = TestNode.Compose(folder, [], "Production", standalone: false);
                app.Lifetime.ApplicationStarted.Register(() =>
                {
                    Environment.ExitCode = 3;
                    app.Lifetime.StopApplication();
                });
                return app;
            });
            Assert.Equal(3, code);
        }
        finally
        {
            Environment.ExitCode = 0;
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("Auth:SigningKey", "", "Auth:Authority and Auth:SigningKey are both empty")]
    [InlineData("Auth:Authority", "https://login.example.com", "are both set")]
    [InlineData("Auth:QueryToken", "true", "Auth:QueryToken is true, but the environment is not Development")]
    [InlineData("Auth:DevToken", "true", "Auth:DevToken is true, but the environment is not Development")]
    public async Task A_production_host_insists_on_one_source_of_trust(string setting, string value, string expected)
    {
        var errors = await StartErrorsAsync(new() { [setting] = value });

        Assert.Contains(errors, error => error.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_authority_needs_https_and_an_audience()
    {
        var errors = await StartErrorsAsync(new() { ["Auth:SigningKey"] = "", ["Auth:Authority"] = "http://login.example.com" });

        Assert.Contains(errors, error => error.StartsWith("Auth:Audience is empty", StringComparison.Ordinal));
        Assert.Contains(errors, error => error.StartsWith("Auth:Authority is 'http://login.example.com'", StringComparison.Ordinal));
    }

    private static async Task<List<string>> StartErrorsAsync(Dictionary<string, string?> settings)
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-delivery-").FullName;
        var standardError = Console.Error;
        await using var written = new StringWriter();
        Console.SetError(written);
        try
        {
            var code = await HostRunner.RunAsync([], () => TestNode.Compose(folder, settings, "Production", standalone: false));
            Assert.Equal(1, code);
            return [.. written.ToString().Split('\n').Where(line => line.StartsWith("  - ", StringComparison.Ordinal)).Select(line => line[4..])];
        }
        finally
        {
            Console.SetError(standardError);
            Directory.Delete(folder, recursive: true);
        }
    }
}

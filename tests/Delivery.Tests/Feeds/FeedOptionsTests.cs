using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class FeedOptionsTests
{
    private readonly FeedOptionsValidator _validator = new();

    [Fact]
    public void The_defaults_are_valid() => Assert.True(_validator.Validate(null, new FeedOptions()).Succeeded);

    [Fact]
    public void Every_wrong_setting_is_named_with_its_value_and_the_remedy_at_once()
    {
        var errors = _validator.Validate(null, new FeedOptions { Heartbeat = TimeSpan.Zero, MaxConnections = 0, FrameBytes = 1 }).Failures!;
        Assert.Equal(
            [
                "Delivery:Heartbeat is 00:00:00; give 00:00:01 to 00:01:00",
                "Delivery:FrameBytes is 1; give 4096 to 4194304",
                "Delivery:MaxConnections is 0; give 1 to 1000000",
            ],
            errors);
    }
}

using System.Globalization;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>Hashes are stored: another build must find its retries by them. The figures were computed by other means.</summary>
public sealed class EventHashTests
{
    [Theory]
    [InlineData(null, "04ea9d4a2bc2393f28956aa75788a04c")]
    [InlineData("638000000000000000", "7de6263346c5b2fdaf1a05a98078cd69")]
    public void The_same_event_has_the_same_hash_in_every_build(string? ticks, string expected)
    {
        var envelope = new EventEnvelope
        {
            Id = Guid.CreateVersion7(),
            Type = EventTypes.AgentMessage,
            Tenant = "default",
            User = "alice",
            Thread = "faden-ä",
            Run = "run-1",
            Sequence = 7,
            Time = ticks is null ? null : new DateTimeOffset(long.Parse(ticks, CultureInfo.InvariantCulture), TimeSpan.Zero),
            Position = 0,
        };

        Assert.Equal(expected, Convert.ToHexStringLower(EventHash.Of(envelope, """{"text":"größer ✓","delta":true}"""u8)));
    }
}

namespace Pipeline.Browser.Tests;

/// <summary>A service that goes away and comes back with the same data. It is this class's own.</summary>
public sealed class ServerTests(StandaloneFixture fixture)
{
    [Theory]
    [InlineData("KILL")]
    [InlineData("TERM")]
    public async Task Over_a_restart_of_the_service_nothing_is_lost_or_repeated(string signal)
    {
        await using var service = await Standalone.StartAsync();
        await using var device = await fixture.DeviceAsync(service);
        var person = service.Person();
        await person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = person.Token, after = "0" });
        await tab.GotAsync(3);

        await person.AppendAsync(3);
        await service.Host.SignalAsync(signal);
        await tab.IsAsync("offline");
        await service.Host.StartAgainAsync();
        await person.AppendAsync(3);
        await person.AllCameOnceAsync(tab);
        Assert.DoesNotContain("closed", await tab.RecordedAsync("states"));
    }
}

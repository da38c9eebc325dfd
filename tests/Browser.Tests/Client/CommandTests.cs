namespace Pipeline.Browser.Tests;

/// <summary>Runs that are started on one device and stopped from another.</summary>
public sealed class CommandTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_run_is_stopped_from_a_second_device_and_both_see_its_one_end()
    {
        await using var laptop = await fixture.DeviceAsync();
        await using var phone = await fixture.DeviceAsync();
        var tabs = new[] { await ReadAsync(laptop), await ReadAsync(phone) };
        var run = await tabs[0].Page.EvaluateAsync<string>(
            "async () => (await events.startRun('main', 'Think for a long while about queues')).run");
        await tabs[1].GotAsync(3);
        await tabs[1].Page.EvaluateAsync("async run => { await Promise.all([events.cancel(run), events.cancel(run)]); }", run);
        await tabs[1].UntilAsync("the run ended", "recorded('ends').length > 0");
        foreach (var tab in tabs)
        {
            await _person.AllCameOnceAsync(tab);
            Assert.Equal([$"agent_cancelled {run}"], await tab.RecordedAsync("ends"));
        }
    }

    private async Task<Tab> ReadAsync(Device device)
    {
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(
            new { token = _person.Token, after = "0" },
            "event => { take(event); if (/^agent_.*ed$/.test(event.type) && event.type !== 'agent_started') record('ends', `${event.type} ${event.run}`); }");
        await tab.IsAsync("live");
        return tab;
    }
}

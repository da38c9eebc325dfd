namespace Pipeline.Browser.Tests;

/// <summary>
/// A lid that was closed. No browser can be told to sleep, so each half of it is tested by itself, with Playwright's clock:
/// the wall clock goes on while timers stand still (they count time awake), and timers that run hours late. What a page
/// does that stands still as a whole while others go on: <see cref="FrozenTabTests"/>.
/// </summary>
public sealed class SleepTests(StandaloneFixture fixture)
{
    private static readonly DateTime Evening = new(2030, 1, 1, 20, 0, 0, DateTimeKind.Utc);
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_laptop_that_wakes_knows_by_the_wall_clock_that_its_connection_is_dead_though_no_timer_ran()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        await tab.Page.Clock.PauseAtAsync(await tab.Page.EvaluateAsync<DateTime>("() => new Date(Date.now() + 2_000)"));
        device.Network.Forget();
        await _person.AppendAsync(5);
        await tab.Page.Clock.SetSystemTimeAsync(Evening.AddHours(10));
        await tab.IsAsync("live");
        await tab.Page.EvaluateAsync("() => document.dispatchEvent(new Event('visibilitychange'))");
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task Timers_that_run_ten_hours_late_lose_nothing_and_repeat_nothing()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await ReadAsync(device);
        device.Network.Forget();
        await _person.AppendAsync(5);
        await tab.Page.Clock.FastForwardAsync(10 * 3_600_000);
        await _person.AllCameOnceAsync(tab);
    }

    private async Task<Tab> ReadAsync(Device device)
    {
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.Page.Clock.InstallAsync(new() { TimeDate = Evening });
        await tab.ReadAsync(new { token = _person.TokenFor(TimeSpan.FromDays(3_650)), after = "0" });
        await tab.GotAsync(3);
        await tab.IsAsync("live");
        return tab;
    }
}

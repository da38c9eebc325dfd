using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>Cursors that outlive the page.</summary>
public sealed class StoreTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Theory]
    [InlineData("session")]
    [InlineData("local")]
    public async Task A_page_that_is_reloaded_while_events_come_goes_on_where_it_was(string store)
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        var (token, appending) = (_person.Token, AppendAsync(80));
        for (var reload = 0; reload < 4; reload++)
        {
            await tab.ReadAsync(new { token, store, after = reload == 0 ? "0" : null });
            await tab.GotAsync(20 * (reload + 1));
            await tab.Page.ReloadAsync();
        }

        await appending;
        await tab.ReadAsync(new { token, store });
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task A_cursor_that_was_saved_in_IndexedDB_is_where_the_next_page_begins()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        await _person.AppendAsync(5);
        await tab.ReadAsync(new { token = _person.Token, store = "indexedDb", after = "0" });
        await tab.GotAsync(5);
        var last = (await _person.EventsAsync())[^1].GetProperty("cursor").GetString()!;
        await tab.Page.WaitForFunctionAsync(
            "async last => await library.indexedDbStore('test').load() === last", last, new() { PollingInterval = 20 });
        await tab.Page.ReloadAsync();
        await _person.AppendAsync(5);
        await tab.ReadAsync(new { token = _person.Token, store = "indexedDb" });
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task The_service_keeps_what_a_client_has_acknowledged_for_its_next_visit()
    {
        await using (var device = await fixture.DeviceAsync())
        {
            var tab = await device.OpenTabAsync();
            await _person.AppendAsync(5);
            await tab.ReadAsync(new { token = _person.Token, client = "laptop", after = "0" });
            await tab.GotAsync(5);
            await tab.Page.EvaluateAsync("async () => { await events[Symbol.asyncDispose](); }");
        }

        await _person.AppendAsync(5);
        await Eventually.HoldsAsync("the service knows it", async () => (await _person.ReadAsync("client=laptop")).Count == 5);
        await using var later = await fixture.DeviceAsync();
        var next = await later.OpenTabAsync();
        await next.ReadAsync(new { token = _person.Token, client = "laptop" });
        await _person.AllCameOnceAsync(next, skipped: 5);
    }

    private async Task AppendAsync(int times)
    {
        for (var n = 0; n < times; n++)
        {
            await _person.AppendAsync(2);
        }
    }
}

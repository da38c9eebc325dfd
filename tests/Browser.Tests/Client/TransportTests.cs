using Microsoft.Playwright;

namespace Pipeline.Browser.Tests;

/// <summary>Networks that let only some of the transports through. The cursor is the same on all of them.</summary>
public sealed class TransportTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task Where_upgrades_are_refused_it_reads_over_server_sent_events_and_climbs_back_with_another_network()
    {
        await using var device = await fixture.DeviceAsync();
        device.Traffic.RefusesWebSockets = true;
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.ReadsOverAsync("sse");
        await _person.AppendAsync(3);
        await tab.GotAsync(6);

        device.Network.Reset();
        await _person.AllCameOnceAsync(tab);
        await tab.ReadsOverAsync("sse");

        device.Traffic.RefusesWebSockets = false;
        await device.GoOfflineAsync();
        await _person.AppendAsync(3);
        await device.ComeBackAsync();
        await tab.ReadsOverAsync("websocket");
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task Where_a_proxy_answers_event_streams_itself_it_reads_by_long_polls()
    {
        await using var device = await fixture.DeviceAsync();
        device.Traffic.RefusesWebSockets = true;
        await device.Context.RouteAsync("**/v1/events*", AnswerEventStreams);
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.ReadsOverAsync("poll");
        await _person.AppendAsync(3);
        await tab.GotAsync(6);
        device.Network.Reset();

        // Four failed attempts to wait for, of up to eight seconds each.
        await _person.AppendAsync(1);
        await tab.UntilAsync("seven came", "recorded('got').length >= 7", seconds: 60);
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task Where_event_streams_are_cut_off_as_well_it_reads_by_long_polls()
    {
        await using var device = await fixture.DeviceAsync();
        device.Traffic.RefusesWebSockets = device.Traffic.RefusesEventStreams = true;
        await _person.AppendAsync(3);
        var tab = await device.OpenTabAsync();
        await tab.ReadAsync(new { token = _person.Token, after = "0" });
        await tab.ReadsOverAsync("poll");
        await _person.AllCameOnceAsync(tab);
    }

    private static Task AnswerEventStreams(IRoute route) =>
        route.Request.Headers.TryGetValue("accept", out var accept) && accept == "text/event-stream"
            ? route.FulfillAsync(new() { Status = 502, ContentType = "text/html", Body = "<h1>Bad gateway</h1>" })
            : route.ContinueAsync();
}

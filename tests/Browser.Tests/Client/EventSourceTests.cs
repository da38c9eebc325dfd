namespace Pipeline.Browser.Tests;

/// <summary>The browser's own reader, without the library.</summary>
public sealed class EventSourceTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task An_EventSource_gets_every_event_once_and_in_order_through_lost_connections()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        await _person.AppendAsync(3);
        await tab.Page.EvaluateAsync(
            """
            token => {
              const source = new EventSource(`/v1/events?after=0&access_token=${token}`);
              source.onmessage = ({ data }) => take(JSON.parse(data));
            }
            """,
            _person.Token);
        await tab.GotAsync(3);
        device.Network.Cut();
        await _person.AppendAsync(3);
        device.Network.Heal();
        await tab.GotAsync(6);
        device.Network.Reset();
        await _person.AllCameOnceAsync(tab);
    }
}

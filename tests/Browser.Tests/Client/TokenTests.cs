using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>Tokens that end while the library reads.</summary>
public sealed class TokenTests(StandaloneFixture fixture)
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(15);
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_token_is_renewed_in_band_before_it_ends_and_the_connection_stays()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        var given = 0;
        await tab.GiveTokensAsync(() => Interlocked.Increment(ref given) == 1 ? _person.TokenFor(Short) : _person.Token);
        await _person.AppendAsync(3);
        await tab.ReadAsync(new { after = "0" });
        await tab.IsAsync("live");
        var end = await tab.Page.EvaluateAsync<double>($"() => Date.now() + {Short.TotalMilliseconds}");
        await tab.UntilAsync("the first token has ended", $"Date.now() > {end} + 2000");
        await _person.AllCameOnceAsync(tab);
        Assert.Equal(2, given);
        Assert.Equal(1, device.Traffic.WebSockets);
    }

    [Fact]
    public async Task Where_none_but_ended_tokens_are_to_be_had_it_is_closed_and_says_why_until_there_is_a_good_one()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        var lifetime = -TimeSpan.FromMinutes(1);
        await tab.GiveTokensAsync(() => _person.TokenFor(lifetime));
        await tab.ReadAsync(new { after = "0" });
        await tab.IsAsync("closed");
        Assert.Equal("closed token", (await tab.RecordedAsync("states"))[^1]);
        Assert.Equal(2, device.Traffic.WebSockets);

        lifetime = TimeSpan.FromMinutes(10);
        await tab.Page.EvaluateAsync("() => events.reconnect()");
        await _person.AllCameOnceAsync(tab);
    }

    [Fact]
    public async Task A_token_that_the_service_refuses_in_mid_run_is_replaced_and_nothing_is_lost()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        var given = 0;

        // One that ends before the library would ask for the next.
        await tab.GiveTokensAsync(() =>
            _person.TokenFor(Interlocked.Increment(ref given) == 1 ? TimeSpan.FromSeconds(3) : TimeSpan.FromMinutes(10)));
        await _person.AppendAsync(3);
        await tab.ReadAsync(new { after = "0" });
        await tab.GotAsync(3);
        await Eventually.HoldsAsync("the service ended the connection", () => device.Traffic.WebSockets == 2);
        await _person.AllCameOnceAsync(tab);
        Assert.Equal(2, given);
    }
}

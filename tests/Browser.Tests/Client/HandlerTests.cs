using System.Collections.Concurrent;
using System.Globalization;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>Handlers that fail and handlers that are slow.</summary>
public sealed class HandlerTests(StandaloneFixture fixture)
{
    private readonly Person _person = fixture.Standalone.Person();

    [Fact]
    public async Task A_handler_that_throws_sees_the_event_again_and_no_other_sees_it_twice()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        await _person.AppendAsync(5);
        await tab.ReadAsync(new { token = _person.Token, after = "0" }, "null");
        await tab.Page.EvaluateAsync(
            """
            () => {
              let failures = 0;
              events.on('*', take);
              events.on('agent_message', ({ cursor, sequence }) => {
                record('tried', cursor);
                if (sequence === 3 && failures++ < 2) throw new Error('not now');
              });
            }
            """);
        await _person.AllCameOnceAsync(tab);
        var cursors = (await _person.EventsAsync()).Select(e => e.GetProperty("cursor").GetString()!).ToList();
        var (tried, errors) = (await tab.RecordedAsync("tried"), await tab.RecordedAsync("errors"));
        Assert.Equal([.. cursors[..2], .. Enumerable.Repeat(cursors[2], 3), .. cursors[3..]], tried);
        Assert.Equal(Enumerable.Repeat($"{cursors[2]} not now", 2), errors);
    }

    [Fact]
    public async Task A_loop_that_was_left_is_followed_by_one_that_begins_with_the_event_it_was_left_at()
    {
        await using var device = await fixture.DeviceAsync();
        var tab = await device.OpenTabAsync();
        await _person.AppendAsync(5);
        await tab.ReadAsync(new { token = _person.Token, after = "0" }, "null");
        await tab.Page.EvaluateAsync(
            """
            async () => {
              for await (const { cursor, sequence } of events) {
                if (sequence === 3) break;
                record('got', cursor);
              }
              (async () => { for await (const { cursor } of events) record('got', cursor); })();
            }
            """);
        await tab.GotAsync(5);
        Assert.Equal((await _person.EventsAsync()).Select(e => e.GetProperty("cursor").GetString()), await tab.RecordedAsync("got"));
    }

    [Fact]
    public async Task While_a_handler_is_busy_no_more_waits_than_may_and_nothing_of_ten_thousand_events_is_lost()
    {
        await using var device = await fixture.DeviceAsync();
        for (var n = 0; n < 10; n++)
        {
            await _person.AppendAsync(1_000);
        }

        var tab = await device.OpenTabAsync();
        var (asked, isOpen) = (new ConcurrentQueue<string>(), false);
        tab.Page.WebSocket += (_, socket) =>
        {
            isOpen = true;
            asked.Enqueue(socket.Url);
            socket.Close += (_, _) => isOpen = false;
        };
        await tab.ReadAsync(
            new { token = _person.Token, after = "0" },
            "async event => { take(event); await (globalThis.free ??= new Promise(go => { globalThis.goOn = go; })); }");
        await tab.GotAsync(1);
        await Eventually.HoldsAsync("it let the connection go", () => !asked.IsEmpty && !isOpen);
        Assert.Single(await tab.RecordedAsync("got"));

        await tab.Page.EvaluateAsync("() => goOn()");
        await _person.AllCameOnceAsync(tab);

        // What waited is what was not asked for again; frames that were under way when it hung up don't count.
        var next = asked.ElementAt(1);
        Assert.InRange(long.Parse(next[(next.LastIndexOf('_') + 1)..], CultureInfo.InvariantCulture), 5_001, 6_000);
    }
}

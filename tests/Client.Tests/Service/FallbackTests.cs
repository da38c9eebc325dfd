using System.Text;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>Networks that do not let every transport pass.</summary>
public sealed class FallbackTests(Service service) : IClassFixture<Service>
{
    private readonly string _user = $"user-{Guid.CreateVersion7():n}";

    [Fact]
    public async Task Where_upgrades_are_blocked_server_sent_events_are_read()
    {
        await using var network = Blocking("Upgrade: websocket");
        await ReadsByAsync(network, Transports.Sse);
    }

    [Fact]
    public async Task Where_streams_are_blocked_too_events_are_polled_for()
    {
        await using var network = Blocking("Upgrade: websocket", "text/event-stream");
        await ReadsByAsync(network, Transports.Poll);
    }

    [Fact]
    public async Task Where_nobody_answers_no_transport_is_given_up_for_it()
    {
        await using var network = service.Network();
        network.Cut();
        var url = network.Url;
        await network.DisposeAsync();
        await using var loop = Loop.Over(Loop.Options(url, _user));
        await Eventually.HoldsAsync("there were four attempts", () => loop.States.Count(state => state.Status == ClientStatus.Offline) >= 4);
        Assert.All(loop.States, state => Assert.Equal(Transports.WebSocket, state.Transport));
    }

    [Fact]
    public async Task A_wrong_address_gives_up_instead_of_asking_for_ever()
    {
        await using var loop = Loop.Over(Loop.Options(new Uri(service.Url, "/elsewhere/"), _user));
        Assert.Equal(ClosedReasons.Refused, (await Assert.ThrowsAsync<AgentEventsClosedException>(() => loop.Ended)).Reason);
    }

    private async Task ReadsByAsync(FaultProxy network, Transports transport)
    {
        await service.AppendAsync(_user, 2);
        await using var loop = Loop.Over(Loop.Options(network.Url, _user));
        await loop.HasAsync(2);
        await service.AppendAsync(_user, 2, "r-2");
        await loop.HasAsync(4);
        await loop.IsAsync(ClientStatus.Live);
        Assert.Equal(transport, loop.Client.State.Transport);
        Assert.Equal([1, 2, 3, 4], loop.Positions);
    }

    /// <summary>Ends connections on which a request has one of these in its head.</summary>
    private FaultProxy Blocking(params string[] heads) => service.Network(() => (flow, bytes) =>
    {
        var text = flow == Flow.Up ? Encoding.ASCII.GetString(bytes) : "";
        return !Array.Exists(heads, head => text.Contains(head, StringComparison.OrdinalIgnoreCase));
    });
}

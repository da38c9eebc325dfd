using System.Text.Json;
using System.Text.Json.Nodes;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>Readers behind networks that break at any byte, held against what is committed.</summary>
public sealed class BrokenNetworkTests(Service service, ITestOutputHelper output) : IClassFixture<Service>
{
    private const int Events = 240;
    private const int Lead = 25;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_breaks_each_reader_has_every_event_once_and_in_order(int seed)
    {
        var user = $"user-{seed}";
        var random = new Random(seed);
        var epoch = await EpochAsync(user);
        var history = new History();
        var networks = Enumerable.Range(0, 4).Select(_ => service.Network()).ToList();
        var loops = networks.Zip([Transports.WebSocket, Transports.Sse, Transports.Poll, Transports.All]).Select(pair =>
        {
            var seen = history.Client(user, $"{pair.Second}", stays: false);
            return (Seen: seen, Loop: Loop.Over(Loop.Options(pair.First.Url, user, pair.Second), item =>
            {
                Receive(seen, epoch, item);
                return Task.CompletedTask;
            }), pair.First);
        }).ToList();

        var producer = service.Producer(user, history);
        for (var sequence = 1; sequence <= Events; sequence++)
        {
            await producer.AppendAsync("t-1", "r-1", sequence, last: sequence == Events, TestContext.Current.CancellationToken);
            foreach (var network in networks.Where(_ => random.Next(8) == 0))
            {
                Break(network, random);
            }

            // Who lost its connection comes back before many more events are there.
            var least = sequence - Lead;
            await Eventually.HoldsAsync("no reader is far behind", () => loops.TrueForAll(reader => reader.Loop.Events.Count >= least));
        }

        foreach (var network in networks)
        {
            network.Heal();
        }

        foreach (var (seen, loop, network) in loops)
        {
            await loop.HasAsync(Events);
            await loop.DisposeAsync();
            await network.DisposeAsync();
        }

        var verdict = Checker.Judge(
            history, new Dictionary<string, CommittedLog> { [user] = await CommittedAsync(user) }, new JudgeTerms { InTime = false });
        output.WriteLine($"seed {seed}: {verdict}, lost connections: "
            + string.Join(", ", loops.Select(loop => $"{loop.Seen.Name} {loop.Loop.States.Count(state => state.Status == ClientStatus.Offline)}")));
        Assert.Empty(verdict.Violations);
        Assert.All(loops, loop => Assert.True(loop.Loop.States.Count(state => state.Status == ClientStatus.Offline) > 2, "little was broken: this proves little"));
    }

    private static void Break(FaultProxy network, Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                network.Reset();
                break;
            case 1:
                network.Cut();
                network.Heal();
                break;
            default:
                network.Truncate(random.Next(3) == 0 ? Flow.Up : Flow.Down, random.Next(2_000));
                break;
        }
    }

    /// <summary>As a client history keeps it: the cursor in front of the body.</summary>
    private static void Receive(ClientHistory seen, string epoch, AgentEvent item)
    {
        var data = item is CustomAgentEvent custom ? custom.Data.GetRawText() : System.Text.Encoding.UTF8.GetString(AgentEventJson.SerializeData(item));
        var body = Body($"{item.Id}", item.Type, item.Thread, item.Run, item.Sequence, data);
        seen.Receive($"{{\"cursor\":\"{epoch}_{item.Position}\",{body[1..]}");
    }

    private static string Body(string id, string type, string thread, string run, long sequence, string data) =>
        new JsonObject
        {
            ["id"] = id, ["type"] = type, ["thread"] = thread, ["run"] = run, ["sequence"] = sequence, ["data"] = JsonNode.Parse(data),
        }.ToJsonString();

    private async Task<string> EpochAsync(string user) =>
        (await service.EventsAsync(user, "after=0")).GetProperty("cursor").GetString()!.Split('_')[0];

    private async Task<CommittedLog> CommittedAsync(string user)
    {
        var page = await service.EventsAsync(user, "after=0");
        var events = page.GetProperty("events").EnumerateArray().Select((e, index) => new CommittedEvent(
            index + 1,
            Body(Text(e, "id"), Text(e, "type"), Text(e, "thread"), Text(e, "run"), e.GetProperty("sequence").GetInt64(), e.GetProperty("data").GetRawText()),
            TimeProvider.System.GetUtcNow())).ToList();
        return new CommittedLog(page.GetProperty("cursor").GetString()!.Split('_')[0], 0, events);

        static string Text(JsonElement e, string name) => e.GetProperty(name).GetString()!;
    }
}

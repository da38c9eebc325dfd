using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Restarts, crowds, clients that do not read, and pages that are lost.</summary>
public sealed class NodeFaults(SharedCluster shared)
{
    [Fact]
    public async Task A_rolling_restart_under_load_tells_every_client_and_loses_nothing()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using var stop = new CancellationTokenSource();
        var load = alice.KeepAppendingAsync(stop.Token);
        foreach (var node in shared.Cluster.Nodes)
        {
            using var fault = scenario.History.Break("a node is restarted");
            var other = shared.Cluster.Nodes.Single(another => another != node);
            alice.Through = () => other.Url;
            await using var told = await RawSocket.OpenAsync(node.Url, alice.Token);
            await node.SignalAsync("TERM");

            Assert.Equal(1012, await told.CloseStatusAsync());
            await node.WaitForExitAsync(TimeSpan.FromSeconds(30));
            await node.StartAgainAsync();
        }

        await stop.CancelAsync();
        await load;
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task Two_thousand_clients_that_come_back_at_once_all_catch_up_and_nobody_else_waits()
    {
        const int clients = 2_000;
        await using var scenario = await shared.BeginAsync();
        var bob = await scenario.EnterAsync("bob");
        var people = new List<Person>();
        for (var n = 0; n < 20; n++)
        {
            var person = await scenario.AddAsync($"crowd-{n}");
            people.Add(person);
            for (var missed = 0; missed < 10; missed++)
            {
                await person.AppendAsync(TestContext.Current.CancellationToken);
            }
        }

        var backends = 0L;
        using (scenario.History.Break("everybody comes back at once"))
        {
            var nodes = shared.Cluster.Nodes.Select(node => node.ClientUrl).ToList();
            for (var n = 0; n < clients; n++)
            {
                var (person, node) = (people[n % people.Count], nodes[n % nodes.Count]);
                scenario.Read(person, $"crowd-{n}", (history, stop) => Readers.WebSocketAsync(() => node, person.Token, history, stop), stays: false);
            }

            await Eventually.HoldsAsync(
                "all of them have everything",
                async () =>
                {
                    backends = Math.Max(backends, await shared.Cluster.ScalarAsync<long>(
                        "select count(*) from pg_stat_activity where datname = current_database()"));
                    return scenario.History.Clients.All(client => client.Position >= (client.User == bob.Name ? 1 : 10));
                },
                TimeSpan.FromSeconds(60));
        }

        await bob.IsServedAsync();
        Assert.InRange(backends, 1, 100);
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task Clients_that_read_slowly_or_never_cost_little_and_go_on_where_they_were()
    {
        await using var scenario = await shared.BeginAsync();
        var (alice, bob) = (await scenario.EnterAsync("alice"), await scenario.EnterAsync("bob"));
        var node = shared.Cluster.Nodes[0];
        alice.Through = () => node.Url;
        var before = Memory(node);
        var readers = new List<Socket>();
        for (var n = 0; n < 40; n++)
        {
            readers.Add(await NeverReadAsync(node.Url, alice.Token));
        }

        using var network = new Cleanup(() => node.Links!.Front!.Heal());
        using (scenario.History.Break("alice's clients read a kilobyte at a time"))
        {
            node.Links!.Front!.BytesPerSecond = 1_000;
            for (var n = 0; n < 200; n++)
            {
                await alice.AppendAsync(TestContext.Current.CancellationToken);
            }

            var grown = Memory(node) - before;
            Assert.True(grown < 150, $"the node grew by {grown} MB");
            node.Links.Front.Heal();
        }

        await bob.IsServedAsync();
        readers.ForEach(reader => reader.Dispose());
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task A_half_open_client_notices_and_goes_on_where_it_was()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("the network forgets every client of a node"))
        {
            shared.Cluster.Nodes[0].Links!.Front!.Forget();
            await alice.AppendAsync(TestContext.Current.CancellationToken);
            await Eventually.HoldsAsync(
                "the WebSocket noticed by the missing heartbeats",
                () => scenario.History.Clients.Any(client => client.Name.EndsWith("websocket", StringComparison.Ordinal) && client.Ends > 0));
        }

        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task The_last_page_of_a_run_that_was_dropped_is_found_by_the_beacon()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("nobody is bound to the exchange of pages"))
        {
            await new BrokerControl(shared.Rabbit, shared.Cluster.VirtualHost).LosePagesAsync(async () =>
            {
                await alice.AppendAsync(TestContext.Current.CancellationToken);
                await Eventually.HoldsAsync("the page was confirmed, to nobody", shared.Cluster.OwesNothingAsync);
            });
        }

        await alice.SeesEverythingAsync(TimeSpan.FromSeconds(2));
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task Retention_that_trims_under_load_stalls_nobody_and_replays_nothing_wrong()
    {
        await using var scenario = await shared.BeginAsync();
        var node = shared.Cluster.Nodes[0];
        await node.KillAsync();
        await node.StartAgainAsync(("Persistence:Retention", "00:01:00"));
        var alice = await scenario.EnterAsync();
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(12);)
        {
            await alice.IsServedAsync();
            await shared.Cluster.ScalarAsync<long>(
                "with aged as (update pipeline.event_log set stored_at = stored_at - interval '2 minutes'"
                + $" where stream like '%:{alice.Name}' and position % 10 < 8 returning 1) select count(*) from aged");
        }

        await Eventually.HoldsAsync("something was trimmed", async () => (await shared.Cluster.CommittedAsync(alice.Name)).Trimmed > 0);
        scenario.Read(alice, "late", (history, stop) => Readers.WebSocketAsync(() => node.ClientUrl, alice.Token, history, stop), stays: false);

        // The events' times were changed: only that each was seen in time, above, counts.
        await scenario.JudgeAsync(new JudgeTerms { InTime = false });
    }

    /// <summary>Resident, in megabytes.</summary>
    private static long Memory(HostProcess host)
    {
        using var process = Process.GetProcessById(host.ProcessId);
        return process.WorkingSet64 / 1024 / 1024;
    }

    /// <summary>An SSE client with a receive buffer of a kilobyte that asks and then takes nothing in.</summary>
    private static async Task<Socket> NeverReadAsync(Uri node, string token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 1_024 };
        await socket.ConnectAsync(IPAddress.Loopback, node.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"));
        return socket;
    }

    private sealed class Cleanup(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}

using System.Diagnostics;
using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>
/// PostgreSQL away, slow, full of connections, or held up by somebody: sockets stay, handshakes succeed, what is missing
/// is said, and everything is there within ten seconds of the healing.
/// </summary>
public sealed class DatabaseFaults(SharedCluster shared)
{
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(10);

    private string Database => new NpgsqlConnectionStringBuilder(shared.Cluster.ConnectionString).Database!;

    [Fact]
    public Task PostgreSQL_killed_and_started_again() => RecoversFromAsync(
        "PostgreSQL is killed", TimeSpan.FromSeconds(5), shared.Postgres.StopAsync, shared.Postgres.StartAsync);

    [Fact]
    public Task PostgreSQL_down_for_a_minute() => RecoversFromAsync(
        "PostgreSQL is down", TimeSpan.FromSeconds(60), shared.Postgres.StopAsync, shared.Postgres.StartAsync);

    [Fact]
    public Task PostgreSQL_asleep_and_awake_again() => RecoversFromAsync(
        "PostgreSQL sleeps", TimeSpan.FromSeconds(8), shared.Postgres.PauseAsync, shared.Postgres.ResumeAsync);

    [Fact]
    public Task A_half_open_network_to_PostgreSQL() => RecoversFromAsync(
        "nothing comes back from PostgreSQL",
        TimeSpan.FromSeconds(8),
        () => OnEachLink(link => link.Hold(Flow.Down)),
        () => OnEachLink(link => link.Heal()));

    [Fact]
    public async Task One_backend_killed_after_the_other_while_events_are_appended()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        using (scenario.History.Break("backends are terminated, one after the other"))
        {
            for (var n = 0; n < 10; n++)
            {
                await AdministerAsync(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    + $" where datname = '{Database}' and pid <> pg_backend_pid() order by random() limit 1");
                await alice.AppendAsync(TestContext.Current.CancellationToken);
            }
        }

        await alice.SeesEverythingAsync(Recovery);
        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task PostgreSQL_out_of_connections()
    {
        var taken = new List<NpgsqlConnection>();
        var open = new NpgsqlConnectionStringBuilder(shared.Postgres.Administrator) { Pooling = false, Timeout = 5 }.ConnectionString;
        await RecoversFromAsync(
            "PostgreSQL has no connection left",
            TimeSpan.FromSeconds(5),
            async () =>
            {
                try
                {
                    while (true)
                    {
                        var connection = new NpgsqlConnection(open);
                        await connection.OpenAsync();
                        taken.Add(connection);
                        if (taken.Count % 20 == 0)
                        {
                            await TerminateAsync(connection);
                        }
                    }
                }
                catch (PostgresException full) when (full.SqlState == PostgresErrorCodes.TooManyConnections)
                {
                    Assert.True(taken.Count > 100, $"full after {taken.Count} connections");
                    await TerminateAsync(taken[0]);
                }
            },
            async () =>
            {
                foreach (var connection in taken)
                {
                    await connection.DisposeAsync();
                }

                await Eventually.HoldsAsync("there is room again", shared.Postgres.AnswersAsync);
            },
            isAway: false);
    }

    [Fact]
    public async Task PostgreSQL_slow_by_a_fifth_of_a_second_a_reply()
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        await OnEachLink(link => link.Delay = TimeSpan.FromMilliseconds(100));
        try
        {
            for (var n = 0; n < 4; n++)
            {
                await alice.IsServedAsync();
            }
        }
        finally
        {
            await OnEachLink(link => link.Heal());
        }

        await scenario.JudgeAsync();
    }

    [Fact]
    public async Task Transactions_left_open_for_a_minute_hold_up_their_own_streams_alone()
    {
        await using var scenario = await shared.BeginAsync();
        var (alice, bob, carol) = (await scenario.EnterAsync("alice"), await scenario.EnterAsync("bob"), await scenario.EnterAsync("carol"));
        await using var open = await ConnectAsync(shared.Cluster.ConnectionString);
        await using var prepared = await ConnectAsync(shared.Cluster.ConnectionString);
        await using var elsewhere = await ConnectAsync(shared.Postgres.Administrator);
        await ExecuteAsync(open, $"begin; select pg_current_xact_id(); {Touch(alice)}");
        await ExecuteAsync(prepared, $"begin; select pg_current_xact_id(); {Touch(carol)}; prepare transaction 'left'");
        await ExecuteAsync(elsewhere, "begin; select pg_current_xact_id()");
        var waiting = Task.WhenAll(alice.AppendAsync(TestContext.Current.CancellationToken), carol.AppendAsync(TestContext.Current.CancellationToken));

        using (scenario.History.Break("two heads are held"))
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(60);)
            {
                await bob.IsServedAsync();
            }

            Assert.False(waiting.IsCompleted);
            await ExecuteAsync(open, "rollback");
            await ExecuteAsync(prepared, "rollback prepared 'left'");
        }

        await waiting;
        await alice.SeesEverythingAsync(Recovery);
        await scenario.JudgeAsync();
    }

    /// <summary>Through the fault clients stay connected and new ones are let in; after it everything is there in ten seconds.</summary>
    private async Task RecoversFromAsync(string what, TimeSpan length, Func<Task> fault, Func<Task> heal, bool isAway = true)
    {
        await using var scenario = await shared.BeginAsync();
        var alice = await scenario.EnterAsync();
        var ends = Ends();
        Task append;
        using (scenario.History.Break(what))
        {
            await fault();
            try
            {
                append = alice.AppendAsync(TestContext.Current.CancellationToken);
                foreach (var node in isAway ? shared.Cluster.Nodes : [])
                {
                    await Eventually.HoldsAsync("the node says so", async () => await node.DependencyAsync("log") == "degraded");
                }

                await ShakeHandsForAsync(length, alice);
            }
            finally
            {
                await heal();
            }
        }

        await append;
        await alice.SeesEverythingAsync(Recovery);
        Assert.Equal(ends, Ends());
        await alice.IsServedAsync();
        await alice.AskAsync();
        await scenario.JudgeAsync();

        int Ends() => scenario.History.Clients
            .Where(client => client.Name.EndsWith("websocket", StringComparison.Ordinal)).Sum(client => client.Ends);
    }

    /// <summary>As long as that, every node lets newcomers in.</summary>
    private async Task ShakeHandsForAsync(TimeSpan length, Person person)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < length; await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken))
        {
            foreach (var node in shared.Cluster.Nodes)
            {
                await using var newcomer = await RawSocket.OpenAsync(node.Url, person.Token);
                Assert.Equal("ready", (await newcomer.ReceiveAsync()).GetProperty("type").GetString());
            }
        }
    }

    private Task OnEachLink(Action<FaultProxy> act)
    {
        foreach (var host in shared.Cluster.Hosts)
        {
            act(host.Links!.Database);
        }

        return Task.CompletedTask;
    }

    private async Task AdministerAsync(string sql)
    {
        await using var connection = await ConnectAsync(shared.Postgres.Administrator);
        await ExecuteAsync(connection, sql);
    }

    private Task TerminateAsync(NpgsqlConnection connection) => ExecuteAsync(
        connection, $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{Database}' and pid <> pg_backend_pid()");

    private static string Touch(Person person) => $"update pipeline.stream_head set head = head where stream like '%:{person.Name}'";

    private static async Task<NpgsqlConnection> ConnectAsync(string database)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

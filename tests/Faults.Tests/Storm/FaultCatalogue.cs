using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>Everything that can be broken in a running system, and how each is healed.</summary>
internal sealed class FaultCatalogue(PipelineCluster cluster, PostgresServer postgres, RabbitServer rabbit)
{
    private static readonly string[] Failpoints =
        ["in-transaction", "after-commit-before-publish", "before-confirm", "after-confirm-before-delete", "after-claim", "before-ending"];

    private const string TerminateAll =
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";

    private readonly BrokerControl _broker = new(rabbit, cluster.VirtualHost);
    private readonly HashSet<HostProcess> _away = [];

    /// <summary>Hosts that are up, not stopped, and reachable, as far as the faults are concerned.</summary>
    public bool IsUp(HostProcess host)
    {
        lock (_away)
        {
            return !_away.Contains(host);
        }
    }

    /// <summary>Chooses a fault; the choice draws the same numbers whatever the outcome, so that a seed replays.</summary>
    public (string What, Func<Task<Func<Task>>> Break) Pick(Random random)
    {
        var hosts = cluster.Nodes.Concat(cluster.Workers).ToList();
        var (kind, which, detail, amount) = (random.Next(100), random.Next(hosts.Count), random.Next(1_000), random.Next(1, 200));
        return kind switch
        {
            < 40 => Link(hosts[which], Name(hosts[which]), detail, amount),
            < 62 => Host(hosts[which], Name(hosts[which]), detail, amount),
            < 82 => Broker(detail),
            _ => Database(detail),
        };
    }

    private string DatabaseName => new NpgsqlConnectionStringBuilder(cluster.ConnectionString).Database!;

    private string Name(HostProcess host) =>
        cluster.Nodes.Contains(host) ? $"node {cluster.Nodes.IndexOf(host)}" : $"worker {cluster.Workers.IndexOf(host)}";

    private static (string, Func<Task<Func<Task>>>) Link(HostProcess host, string name, int detail, int amount)
    {
        var links = host.Links!.All.ToList();
        var (end, link) = links[detail % links.Count];
        var (what, act) = (detail / 10 % 8) switch
        {
            0 => ("stalls", () => link.Hold()),
            1 => ("carries nothing up", () => link.Hold(Flow.Up)),
            2 => ("carries nothing down", () => link.Hold(Flow.Down)),
            3 => ("forgets its connections", () => link.Forget()),
            4 => ("is reset", () => link.Reset()),
            5 => ("is cut", () => link.Cut()),
            6 => ($"is slow by {amount} ms", () => link.Delay = TimeSpan.FromMilliseconds(amount)),
            _ => ($"breaks off after {amount * 7} bytes", (Action)(() => link.Truncate(amount % 2 == 0 ? Flow.Up : Flow.Down, amount * 7))),
        };
        return ($"the {end} link of {name} {what}", () =>
        {
            act();
            return Task.FromResult(() =>
            {
                link.Heal();
                return Task.CompletedTask;
            });
        });
    }

    private (string, Func<Task<Func<Task>>>) Host(HostProcess host, string name, int detail, int amount)
    {
        switch (detail % 4)
        {
            case 0:
                return ($"{name} is killed", async () =>
                {
                    Leave(host);
                    await host.KillAsync();
                    return () => BackAsync(host);
                });
            case 1:
                return ($"{name} is stopped for good and started again", async () =>
                {
                    Leave(host);
                    await host.SignalAsync("TERM");
                    return () => BackAsync(host);
                });
            case 2:
                return ($"{name} sleeps", async () =>
                {
                    Leave(host);
                    await host.SignalAsync("STOP");
                    return async () =>
                    {
                        await host.SignalAsync("CONT");
                        Return(host);
                    };
                });
            default:
                var point = Failpoints[detail / 4 % Failpoints.Length];
                return ($"{name} dies at {point}, the {(amount % 20) + 1}th time", async () =>
                {
                    Leave(host);
                    await host.KillAsync();
                    await host.BeginAgainAsync(($"Failpoints:{point}", $"kill@{(amount % 20) + 1}"));
                    return async () =>
                    {
                        await host.KillAsync();
                        await host.StartAgainAsync();
                        Return(host);
                    };
                });
        }
    }

    private (string, Func<Task<Func<Task>>>) Broker(int detail) => (detail % 9) switch
    {
        0 => ("RabbitMQ is killed", On(rabbit.StopAsync, rabbit.StartAsync)),
        1 => ("RabbitMQ sleeps", On(rabbit.PauseAsync, rabbit.ResumeAsync)),
        2 => ("RabbitMQ's application is stopped", On(_broker.StopApplicationAsync, _broker.StartApplicationAsync)),
        3 => ("RabbitMQ has a memory alarm", On(_broker.BeginMemoryAlarmAsync, _broker.EndMemoryAlarmAsync)),
        4 => ("RabbitMQ has a disk alarm", On(_broker.BeginDiskAlarmAsync, _broker.EndDiskAlarmAsync)),
        5 => ("RabbitMQ closes all connections", On(_broker.CloseConnectionsAsync, Nothing)),
        6 => ("the nodes' queues are deleted", On(_broker.DeleteNodeQueuesAsync, Nothing)),
        7 => ("the nodes' bindings are deleted", On(_broker.UnbindNodesAsync, Nothing)),
        _ => ("the nodes' queues hold one message", On(_broker.BoundNodeQueuesAsync, _broker.UnboundNodeQueuesAsync)),
    };

    private (string, Func<Task<Func<Task>>>) Database(int detail) => (detail % 5) switch
    {
        0 => ("PostgreSQL is killed", On(postgres.StopAsync, postgres.StartAsync)),
        1 => ("PostgreSQL sleeps", On(postgres.PauseAsync, postgres.ResumeAsync)),
        2 => ("every backend of PostgreSQL is terminated", On(() => AdministerAsync(TerminateAll), Nothing)),
        3 => ("PostgreSQL takes no connections", On(
            async () =>
            {
                await AdministerAsync($"alter database {DatabaseName} allow_connections false");
                await AdministerAsync(TerminateAll);
            },
            () => AdministerAsync($"alter database {DatabaseName} allow_connections true"))),
        _ => ($"somebody holds the head of user {detail % 8}", async () =>
        {
            var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false }.ConnectionString);
            await connection.OpenAsync();
            var transaction = await connection.BeginTransactionAsync();
            await using var command = new NpgsqlCommand(
                $"select 1 from pipeline.stream_head where stream like '%:user-{detail % 8}' for update", connection, transaction);
            await command.ExecuteNonQueryAsync();
            return async () => await connection.DisposeAsync();
        }),
    };

    private static Func<Task<Func<Task>>> On(Func<Task> begin, Func<Task> end) => async () =>
    {
        await begin();
        return end;
    };

    private static Task Nothing() => Task.CompletedTask;

    private async Task AdministerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(postgres.Administrator);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private void Leave(HostProcess host)
    {
        lock (_away)
        {
            _away.Add(host);
        }
    }

    private void Return(HostProcess host)
    {
        lock (_away)
        {
            _away.Remove(host);
        }
    }

    private async Task BackAsync(HostProcess host)
    {
        await host.StartAgainAsync();
        Return(host);
    }
}

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
    private readonly Dictionary<HostProcess, int> _away = [];
    private readonly List<NpgsqlConnection> _holders = [];

    /// <summary>Whether a host is as it should be, as far as the faults of hosts are concerned.</summary>
    public bool IsUp(HostProcess host)
    {
        lock (_away)
        {
            return !_away.ContainsKey(host);
        }
    }

    /// <summary>Chooses a fault; the choice draws the same numbers whatever the outcome, so that a seed replays.</summary>
    public Fault Pick(Random random)
    {
        var hosts = cluster.Hosts;
        var (kind, which, detail, amount) = (random.Next(100), random.Next(hosts.Count), random.Next(1_000), random.Next(1, 200));
        return kind switch
        {
            < 40 => OfLink(hosts[which], detail, amount),
            < 62 => OfHost(hosts[which], detail, (amount % 20) + 1),
            < 82 => OfBroker(detail),
            _ => OfDatabase(detail),
        };
    }

    private string DatabaseName => new NpgsqlConnectionStringBuilder(cluster.ConnectionString).Database!;

    private string Name(HostProcess host) =>
        cluster.Nodes.Contains(host) ? $"node {cluster.Nodes.IndexOf(host)}" : $"worker {cluster.Workers.IndexOf(host)}";

    private Fault OfLink(HostProcess host, int detail, int amount)
    {
        var links = host.Links!.All.ToList();
        var (end, link) = links[detail % links.Count];
        var name = $"the {end} link of {Name(host)}";
        return (detail / 10 % 8) switch
        {
            0 => Until($"{name} stalls", () => link.Hold()),
            1 => Until($"{name} carries nothing up", () => link.Hold(Flow.Up)),
            2 => Until($"{name} carries nothing down", () => link.Hold(Flow.Down)),
            3 => Until($"{name} forgets its connections", link.Forget),
            4 => Until($"{name} is reset", link.Reset),
            5 => Until($"{name} is cut", link.Cut),
            6 => Until($"{name} is slow by {amount} ms", () => link.Delay = TimeSpan.FromMilliseconds(amount)),
            _ => Until($"{name} breaks off after {amount * 7} bytes", () => link.Truncate(amount % 2 == 0 ? Flow.Up : Flow.Down, amount * 7)),
        };

        Fault Until(string what, Action begin) => new(what, Done(begin), Done(link.Heal));
    }

    private Fault OfHost(HostProcess host, int detail, int times)
    {
        var name = Name(host);
        var point = Failpoints[detail / 4 % Failpoints.Length];
        return (detail % 4) switch
        {
            0 => Away($"{name} is killed", host.KillAsync),
            1 => Away($"{name} is asked to stop", () => host.SignalAsync("TERM")),
            2 => Away($"{name} sleeps", () => host.SignalAsync("STOP")),
            _ => Away($"{name} dies at {point}@{times}", () => DieAtAsync(host, point, times)),
        };

        Fault Away(string what, Func<Task> begin) => new(what, () => LeaveAsync(host, begin), () => ReturnAsync(host));
    }

    private Fault OfBroker(int detail) => (detail % 9) switch
    {
        0 => new("RabbitMQ is killed", rabbit.StopAsync, rabbit.StartAsync),
        1 => new("RabbitMQ sleeps", rabbit.PauseAsync, rabbit.ResumeAsync),
        2 => new("RabbitMQ's application is stopped", _broker.StopApplicationAsync, _broker.StartApplicationAsync),
        3 => new("RabbitMQ has a memory alarm", _broker.BeginMemoryAlarmAsync, _broker.EndMemoryAlarmAsync),
        4 => new("RabbitMQ has a disk alarm", _broker.BeginDiskAlarmAsync, _broker.EndDiskAlarmAsync),
        5 => new("RabbitMQ closes all connections", _broker.CloseConnectionsAsync, Nothing),
        6 => new("the nodes' queues are deleted", _broker.DeleteNodeQueuesAsync, Nothing),
        7 => new("the nodes' bindings are deleted", _broker.UnbindNodesAsync, Nothing),
        _ => new("the nodes' queues hold one message", _broker.BoundNodeQueuesAsync, _broker.UnboundNodeQueuesAsync),
    };

    private Fault OfDatabase(int detail) => (detail % 5) switch
    {
        0 => new("PostgreSQL is killed", postgres.StopAsync, postgres.StartAsync),
        1 => new("PostgreSQL sleeps", postgres.PauseAsync, postgres.ResumeAsync),
        2 => new("every backend of PostgreSQL is terminated", () => AdministerAsync(TerminateAll), Nothing),
        3 => new("PostgreSQL takes no connections", CloseDatabaseAsync, () => AdministerAsync($"alter database {DatabaseName} allow_connections true")),
        _ => new($"somebody holds the head of user-{detail % 8}", () => HoldHeadAsync($"user-{detail % 8}"), LetGoAsync),
    };

    private static async Task DieAtAsync(HostProcess host, string failpoint, int times)
    {
        await host.KillAsync();
        await host.BeginAgainAsync(($"Failpoints:{failpoint}", $"kill@{times}"));
    }

    private async Task LeaveAsync(HostProcess host, Func<Task> begin)
    {
        lock (_away)
        {
            _away[host] = _away.GetValueOrDefault(host) + 1;
        }

        await begin();
    }

    /// <summary>Whoever heals a host last brings it back.</summary>
    private async Task ReturnAsync(HostProcess host)
    {
        lock (_away)
        {
            if (--_away[host] > 0)
            {
                return;
            }
        }

        await host.MakeSoundAsync();
        lock (_away)
        {
            _away.Remove(host);
        }
    }

    private async Task CloseDatabaseAsync()
    {
        await AdministerAsync($"alter database {DatabaseName} allow_connections false");
        await AdministerAsync(TerminateAll);
    }

    private async Task HoldHeadAsync(string user)
    {
        var holder = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false }.ConnectionString);
        _holders.Add(holder);
        await holder.OpenAsync();
        await using var command = new NpgsqlCommand(
            $"begin; select 1 from pipeline.stream_head where stream like '%:{user}' for update", holder);
        await command.ExecuteNonQueryAsync();
    }

    private async Task LetGoAsync()
    {
        foreach (var holder in _holders)
        {
            await holder.DisposeAsync();
        }

        _holders.Clear();
    }

    private async Task AdministerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(postgres.Administrator);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static Func<Task> Done(Action action) => () =>
    {
        action();
        return Task.CompletedTask;
    };

    private static Task Nothing() => Task.CompletedTask;
}

/// <param name="What">Says it in the timeline.</param>
/// <param name="Begin">Breaks something; may fail where another fault is in its way.</param>
/// <param name="Heal">Mends it; nothing is left of it afterwards.</param>
internal sealed record Fault(string What, Func<Task> Begin, Func<Task> Heal);

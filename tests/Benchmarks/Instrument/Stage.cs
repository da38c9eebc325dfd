using System.Globalization;
using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>What one run stands on: a cluster with a database and a virtual host of its own, and the processes that load it.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private readonly List<RoleProcess> _roles = [];
    private readonly PostgresServer _postgres;
    private readonly RabbitServer _rabbit;

    private Stage(PipelineCluster cluster, PostgresServer postgres, RabbitServer rabbit, bool isQuick) =>
        (Cluster, _postgres, _rabbit, IsQuick) = (cluster, postgres, rabbit, isQuick);

    public PipelineCluster Cluster { get; }

    /// <summary>Whether to measure small.</summary>
    public bool IsQuick { get; }

    public RabbitServer Rabbit => _rabbit;

    public static async Task<Stage> SetAsync(Scenario scenario, PostgresServer postgres, RabbitServer rabbit, bool isQuick)
    {
        // The next one is five minutes away, and not in what is measured.
        await postgres.ExecuteAsync("checkpoint");
        var cluster = await PipelineCluster.StartAsync(scenario.Nodes, workers: 0, postgres, rabbit, settings: scenario.Settings);
        return new Stage(cluster, postgres, rabbit, isQuick);
    }

    public string[] NodeUrls => [.. Cluster.Nodes.Select(node => node.Url.ToString())];

    /// <summary>A length for a full or a quick run.</summary>
    public T Pick<T>(T full, T quick) => IsQuick ? quick : full;

    /// <summary>Starts a part of the load in a process of its own.</summary>
    public RoleProcess Start<TRole>(params (string Key, string Value)[] settings)
        where TRole : IRole<TRole>
    {
        var role = RoleProcess.Start<TRole>([.. Cluster.Settings.Select(s => (s.Key, s.Value)), .. settings]);
        _roles.Add(role);
        return role;
    }

    /// <summary>What a stretch of work takes, of every process that has a part in it.</summary>
    public async Task<Costs> MeasureAsync(Func<Task> work)
    {
        var cpu = new CpuMeter(await ProcessesAsync());
        var messages = await BrokerMessagesAsync();
        var wal = await WalAsync();
        cpu.Begin();
        await work();
        var seconds = cpu.End();
        return new Costs(seconds, await WalAsync() - wal, await BrokerMessagesAsync() - messages);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var role in _roles)
        {
            await role.DisposeAsync();
        }

        await Cluster.DisposeAsync();

        // What is left of a run would be vacuumed in the midst of another.
        await _postgres.DropDatabaseAsync(Cluster.ConnectionString);
    }

    private async Task<List<(string Name, int Process)>> ProcessesAsync()
    {
        var postmaster = await ScalarAsync<string>("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)");
        var broker = int.Parse(
            (await _rabbit.ControlAsync("eval", "os:getpid().")).Trim().Trim('"'), CultureInfo.InvariantCulture);
        return
        [
            ("postgres", int.Parse(postmaster, CultureInfo.InvariantCulture)),
            ("rabbitmq", broker),
            .. Cluster.Nodes.Select(node => ("nodes", node.ProcessId)),
            .. Cluster.Workers.Select(worker => ("workers", worker.ProcessId)),
            .. _roles.Select(role => (role.Name, role.ProcessId)),
        ];
    }

    private Task<long> WalAsync() => ScalarAsync<long>("select (pg_current_wal_insert_lsn() - '0/0')::bigint");

    private async Task<long> BrokerMessagesAsync() => long.Parse(
        (await _rabbit.ControlAsync(
            "eval", "lists:sum([maps:get(messages_received_total, M, 0) || {[{protocol, _}], M} <- maps:to_list(rabbit_global_counters:overview())])."))
        .Trim(),
        CultureInfo.InvariantCulture);

    /// <summary>One value from the cluster's database.</summary>
    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(_postgres.Administrator);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}

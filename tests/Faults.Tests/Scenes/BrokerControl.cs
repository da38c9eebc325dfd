using System.Globalization;
using Pipeline.Testing;
using RabbitMQ.Client;

namespace Pipeline.Faults.Tests;

/// <summary>What an operator can do to the queues of a cluster.</summary>
internal sealed class BrokerControl(RabbitServer rabbit, string virtualHost)
{
    private const string Pages = "Pipeline.Contracts:AgentEventPage";

    /// <summary>Deletes the queue of every node, whatever it holds.</summary>
    public Task DeleteNodeQueuesAsync() => rabbit.ControlAsync("eval", $$"""
        [rabbit_amqqueue:delete(Q, false, false, <<"test">>) || Q <- rabbit_amqqueue:list(<<"{{virtualHost}}">>),
          begin {resource, _, queue, N} = amqqueue:get_name(Q), binary:match(N, <<"delivery.">>) =:= {0, 9} end], ok.
        """);

    /// <summary>Takes every node off the exchange of pages; their connections and queues stay.</summary>
    public async Task UnbindNodesAsync()
    {
        var nodes = await NodeQueuesAsync();
        await UseAsync(channel => UnbindAsync(channel, nodes));
    }

    /// <summary>Loses what is published meanwhile; so short a while that no beacon is missed.</summary>
    public async Task LosePagesAsync(Func<Task> meanwhile)
    {
        var nodes = await NodeQueuesAsync();
        await UseAsync(async channel =>
        {
            await UnbindAsync(channel, nodes);
            await meanwhile();
            foreach (var node in nodes)
            {
                await channel.ExchangeBindAsync(node, Pages, routingKey: "");
            }
        });
    }

    /// <summary>Bounds the queue of every node to one message, which the next one pushes out.</summary>
    public Task BoundNodeQueuesAsync() => rabbit.ControlAsync(
        "set_policy", "-p", virtualHost, "full", "^delivery", "{\"max-length\":1}", "--apply-to", "queues");

    /// <summary>Ends <see cref="BoundNodeQueuesAsync"/>.</summary>
    public Task UnboundNodeQueuesAsync() => rabbit.ControlAsync("clear_policy", "-p", virtualHost, "full");

    public Task BeginMemoryAlarmAsync() => rabbit.ControlAsync("set_vm_memory_high_watermark", "0.0001");

    public Task EndMemoryAlarmAsync() => rabbit.ControlAsync("set_vm_memory_high_watermark", "0.4");

    public Task BeginDiskAlarmAsync() => rabbit.ControlAsync("set_disk_free_limit", "999999GB");

    public Task EndDiskAlarmAsync() => rabbit.ControlAsync("set_disk_free_limit", "50MB");

    public Task StopApplicationAsync() => rabbit.ControlAsync("stop_app");

    public Task StartApplicationAsync() => rabbit.ControlAsync("start_app");

    public Task CloseConnectionsAsync() => rabbit.ControlAsync("close_all_connections", "test");

    /// <summary>Every queue, and how many messages it holds.</summary>
    public async Task<IReadOnlyList<(string Name, int Messages)>> DepthsAsync()
    {
        var queues = await rabbit.ControlAsync("list_queues", "-q", "-p", virtualHost, "name", "messages", "--no-table-headers");
        return
        [
            .. queues.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))
                .Select(columns => (columns[0], int.Parse(columns[1], CultureInfo.InvariantCulture))),
        ];
    }

    /// <summary>Queues whose messages somebody handles.</summary>
    public async Task<IReadOnlyList<string>> QueuesAsync() =>
        [.. (await DepthsAsync()).Select(queue => queue.Name).Where(name => !name.EndsWith("_error", StringComparison.Ordinal))];

    /// <summary>How many messages a queue holds; null where there is none.</summary>
    public async Task<int?> DepthAsync(string queue) =>
        (await DepthsAsync()).Where(item => item.Name == queue).Select(item => (int?)item.Messages).FirstOrDefault();

    /// <summary>Puts a message into a queue, past all publishers.</summary>
    public Task PublishAsync(string queue, string body) => rabbit.ControlAsync("eval", $$"""
        rabbit_basic:publish(rabbit_misc:r(<<"{{virtualHost}}">>, exchange, <<>>), <<"{{queue}}">>,
          [{content_type, <<"application/vnd.masstransit+json">>}], <<"{{body}}">>), ok.
        """);

    /// <summary>Loses every message of a queue.</summary>
    public Task PurgeAsync(string queue) => rabbit.ControlAsync("purge_queue", "-p", virtualHost, queue);

    private static async Task UnbindAsync(IChannel channel, IEnumerable<string> nodes)
    {
        foreach (var node in nodes)
        {
            await channel.ExchangeUnbindAsync(node, Pages, routingKey: "");
        }
    }

    private async Task<IReadOnlyList<string>> NodeQueuesAsync() =>
        [.. (await QueuesAsync()).Where(queue => queue.StartsWith("delivery.", StringComparison.Ordinal))];

    /// <summary>Does something with a plain client.</summary>
    private async Task UseAsync(Func<IChannel, Task> use)
    {
        var factory = new ConnectionFactory
        {
            HostName = rabbit.Host, Port = rabbit.Port, VirtualHost = virtualHost, UserName = rabbit.Username, Password = rabbit.Password,
        };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await use(channel);
    }
}

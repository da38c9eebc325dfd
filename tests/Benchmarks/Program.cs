using Pipeline.Benchmarks;
using Pipeline.Testing;

// Usage: Pipeline.Benchmarks [append] [group] [delivery] [latency] [replay]; nothing named: all of them.
string[] known = ["append", "group", "delivery", "latency", "replay"];
var chosen = args.Length == 0 ? known : args;
if (chosen.Except(known).FirstOrDefault() is { } unknown)
{
    Console.Error.WriteLine($"'{unknown}' is no scenario; choose from {string.Join(", ", known)}");
    return 2;
}

await using var postgres = await PostgresServer.StartDurableAsync();
await using var rabbit = await RabbitServer.StartPrivateAsync();
Console.WriteLine($"{"scenario",-52}{"figure",12}  unit");
foreach (var scenario in chosen)
{
    // A cluster of its own for each scenario, so that none inherits another's data or warm caches.
    await using var cluster = await PipelineCluster.StartAsync(
        nodes: scenario is "append" or "group" ? 0 : 2, workers: 0, postgres, rabbit);
    await using var producer = await Producer.StartAsync(cluster);
    await (scenario switch
    {
        "append" => AppendScenarios.RunAsync(producer),
        "group" => AppendScenarios.RunGroupAsync(producer),
        "delivery" => DeliveryScenarios.RunThroughputAsync(producer, cluster),
        "latency" => DeliveryScenarios.RunLatencyAsync(producer, cluster),
        _ => DeliveryScenarios.RunReplayAsync(producer, cluster),
    });
}

return 0;

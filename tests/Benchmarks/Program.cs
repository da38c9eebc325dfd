using Pipeline.Benchmarks;
using Pipeline.Testing;

// bench.sh says how to call this. "role NAME" is the program calling itself for a part of the load.
if (args is ["role", var role])
{
    await (role switch
    {
        "producer" => RoleProcess.ServeAsync<Producer>(),
        "screens" => RoleProcess.ServeAsync<Screens>(),
        "ordinary-producer" => RoleProcess.ServeAsync<OrdinaryProducer>(),
        "ordinary-node" => RoleProcess.ServeAsync<OrdinaryNode>(),
        "ordinary-screens" => RoleProcess.ServeAsync<OrdinaryScreens>(),
        "bare" => RoleProcess.ServeAsync<BareServer>(),
        _ => throw new ArgumentException($"There is no role '{role}'"),
    });
    return 0;
}

Scenario[] known =
[
    new AppendScenario(1), new AppendScenario(10), new AppendScenario(50), new GroupScenario(),
    new EndToEndScenario(200), new EndToEndScenario(2_000), new LatencyScenario(),
    new StormScenario(200), new StormScenario(2_000), new ReplayScenario(), new IdleScenario(),
    new FanoutScenario(1), new FanoutScenario(10),
    new GrowthInStreams(), new GrowthInRows(), new GrowthInNodes(),
];
var isQuick = args is ["quick", ..];
var names = args[(isQuick ? 1 : 0)..];
if (names.Except(known.Select(scenario => scenario.Name)).FirstOrDefault() is { } unknown)
{
    Console.Error.WriteLine($"There is no scenario '{unknown}'; choose from {string.Join(", ", known.Select(scenario => scenario.Name))}");
    return 2;
}

await using var postgres = await PostgresServer.StartDurableAsync();
await using var rabbit = await RabbitServer.StartPrivateAsync();
var report = new Report(Console.Out);
report.Begin();
foreach (var scenario in known.Where(scenario => names.Length == 0 || names.Contains(scenario.Name)))
{
    var runs = new List<Sample>();
    while (runs.Count < (isQuick ? 1 : 3))
    {
        await using var stage = await Stage.SetAsync(scenario, postgres, rabbit, isQuick);
        runs.Add(await scenario.RunAsync(stage));
    }

    report.Add(runs);
    await report.SaveAsync();
}

return report.IsClean ? 0 : 1;

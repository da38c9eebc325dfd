using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

[Trait("needs", "servers")]
public sealed class StockConsumerTests
{
    [Fact]
    public async Task A_process_that_knows_only_the_contracts_consumes_pages_and_typed_events()
    {
        var broker = await Broker.SharedAsync();
        await using var stock = StockConsumerProcess.Start(broker.StockEnvironment());
        await Eventually.HoldsAsync("the consumer is ready", () => stock.Lines("ready").Count == 1, TimeSpan.FromSeconds(60));
        await using var host = await broker.StartHostAsync(_ => { });

        host.HandOver(new CommittedRange(
            Batches.Stream("alice"), 1, 41, [Batches.Event("weather_changed", """{"sun":true}"""), Batches.Event(EventTypes.AgentCompleted, """{"result":"42"}""")]));

        await Eventually.HoldsAsync("page and typed event", () => stock.Lines("completed").Count > 0 && Pages(stock).Any());
        var page = Pages(stock).First();
        Assert.Equal("7:default:alice", page.GetProperty("streams")[0].GetProperty("stream").GetString());
        Assert.Equal(["weather_changed", "agent_completed"], page.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("type").GetString()));
        Assert.Single(Pages(stock).DistinctBy(p => p.GetProperty("number").GetInt64()));
        var completed = stock.Lines("completed")[0].GetProperty("event");
        Assert.Equal(("alice", 42, "42"), (
            completed.GetProperty("user").GetString(), completed.GetProperty("position").GetInt64(), completed.GetProperty("result").GetString()));
    }

    private static IEnumerable<System.Text.Json.JsonElement> Pages(StockConsumerProcess stock) =>
        stock.Lines("page").Select(line => line.GetProperty("page")).Where(page => page.GetProperty("streams").GetArrayLength() > 0);
}

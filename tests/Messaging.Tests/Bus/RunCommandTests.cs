using System.Text;
using Pipeline.Persistence;
using Pipeline.Testing;
using RabbitMQ.Client;

namespace Pipeline.Messaging.Tests;

[Trait("needs", "servers")]
public sealed class RunCommandTests
{
    private const string Message = """{"tenant":"default","user":"alice","run":"r-1"}""";

    [Theory]
    [InlineData("memory")]
    [InlineData("rabbitmq")]
    public async Task Commands_reach_a_worker(string transport)
    {
        var broker = transport == "memory" ? null : await Broker.SharedAsync();
        await using var worker = broker is null ? await BusHost.StartAsync(takes: Commands) : await broker.StartHostAsync(Commands);
        await Eventually.HoldsAsync("the queues are bound", () => worker.Health.CanConsume);

        worker.HandOver(new CommittedCommand("StartRun", Message));
        worker.HandOver(new CommittedCommand("CancelRun", Message));

        await Eventually.HoldsAsync("both are here", () => worker.Commands.Started.Count > 0 && worker.Commands.Cancelled.Count > 0);
        await Eventually.HoldsAsync("both are confirmed", () => !worker.Get<OutboxHandover>().Holds(7, 1_000_001) && !worker.Get<OutboxHandover>().Holds(7, 1_000_002));
        Assert.Equal(["r-1"], worker.Commands.Started.Distinct());
        Assert.Equal(["r-1"], worker.Commands.Cancelled.Distinct());
    }

    [Fact]
    public async Task A_start_goes_to_one_worker_and_to_another_when_that_one_dies()
    {
        var broker = await Broker.SharedAsync();
        await using var a = await StartBoundAsync(broker, "worker-a");
        await using var b = await StartBoundAsync(broker, "worker-b");
        var hold = new TaskCompletionSource();
        a.Commands.Hold = b.Commands.Hold = hold.Task;

        a.HandOver(new CommittedCommand("StartRun", Message));
        await Eventually.HoldsAsync("one worker has it", () => a.Commands.Started.Count + b.Commands.Started.Count == 1);
        var (first, name) = a.Commands.Started.Count == 1 ? (a, "worker-a") : (b, "worker-b");
        await broker.CloseConnectionAsync($"{name}@{first.Get<ProcessIdentity>().Host} consume");

        await Eventually.HoldsAsync("it was delivered again", () => a.Commands.Started.Count + b.Commands.Started.Count >= 2);
        hold.SetResult();
        await AcknowledgesAsync(broker);
    }

    [Fact]
    public async Task A_cancel_goes_to_every_worker()
    {
        var broker = await Broker.SharedAsync();
        await using var a = await StartBoundAsync(broker, "worker-a");
        await using var b = await StartBoundAsync(broker, "worker-b");

        a.HandOver(new CommittedCommand("CancelRun", Message));

        await Eventually.HoldsAsync("both have it", () => a.Commands.Cancelled.Count > 0 && b.Commands.Cancelled.Count > 0);
    }

    [Fact]
    public async Task A_start_that_always_fails_ends_in_the_dead_letter_queue()
    {
        var broker = await Broker.SharedAsync();
        await using var worker = await broker.StartHostAsync(Commands);
        await Eventually.HoldsAsync("the queues are bound", () => worker.Health.CanConsume);
        worker.Commands.Failure = new InvalidOperationException("no");

        worker.HandOver(new CommittedCommand("StartRun", Message));

        await Eventually.HoldsAsync(
            "it is dead",
            async () => (await broker.ListAsync("list_queues", "name", "messages")).Contains("start-run_error\t1"),
            TimeSpan.FromSeconds(60));
        await AcknowledgesAsync(broker);
    }

    [Theory]
    [InlineData("no JSON at all", "fault")]
    [InlineData("""{"messageType":["urn:message:Someone:Elses"],"message":{}}""", "skipped")]
    public async Task A_start_that_cannot_be_read_goes_to_the_dead_letter_queue_with_its_reason_and_is_acknowledged(string body, string reason)
    {
        var broker = await Broker.SharedAsync();
        await using var worker = await broker.StartHostAsync(Commands);
        await Eventually.HoldsAsync("the queues are bound", () => worker.Health.CanConsume);

        await broker.UseAsync(async channel => await channel.BasicPublishAsync(
            exchange: "", "start-run", mandatory: true, new BasicProperties { ContentType = "application/vnd.masstransit+json" }, Encoding.UTF8.GetBytes(body)));

        await Eventually.HoldsAsync(
            "it is dead", async () => (await broker.ListAsync("list_queues", "name", "messages")).Contains("start-run_error\t1"));
        await AcknowledgesAsync(broker);
        await broker.UseAsync(async channel =>
        {
            var dead = await channel.BasicGetAsync("start-run_error", autoAck: true);
            Assert.Equal(body, Encoding.UTF8.GetString(dead!.Body.Span));
            Assert.Equal(reason, Encoding.UTF8.GetString((byte[])dead.BasicProperties.Headers!["MT-Reason"]!));
            Assert.True(dead.BasicProperties.Headers.ContainsKey("MT-Fault-Message"));
        });
        Assert.Empty(worker.Commands.Started);
    }

    /// <summary>One after the other: two who declare the quorum queue at once may lose the connection over it.</summary>
    private static async Task<BusHost> StartBoundAsync(Broker broker, string name)
    {
        var host = await broker.StartHostAsync(Commands, name);
        await Eventually.HoldsAsync($"the queues of {name} are bound", () => host.Health.CanConsume);
        return host;
    }

    /// <summary>A quorum queue tells its length every five seconds.</summary>
    private static Task AcknowledgesAsync(Broker broker) => Eventually.HoldsAsync(
        "the start is acknowledged", async () => (await broker.ListAsync("list_queues", "name", "messages")).Contains("start-run\t0"));

    private static void Commands(PipelineBusBuilder bus) => bus.HandleRunCommands<RecordedCommands>();
}

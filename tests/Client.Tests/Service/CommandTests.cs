using System.Text;
using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>PROTOCOL.md, section 10.</summary>
public sealed class CommandTests(Service service) : IClassFixture<Service>
{
    private readonly string _user = $"user-{Guid.CreateVersion7():n}";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reading_after_the_cursor_of_a_started_run_misses_none_of_it()
    {
        await using var client = Client(service.Url);
        var run = await client.StartRunAsync("t-1", "What is 2 + 2?", cancellationToken: Cancellation);
        Assert.Equal(("t-1", "queued"), (run.Thread, run.Status));
        await using var loop = Loop.Over(Loop.Options(service.Url, _user, after: run.Cursor));
        await Eventually.HoldsAsync("the run has ended", () => loop.Events.Any(e => EventTypes.IsTerminal(e.Type)));

        Assert.Equal("What is 2 + 2?", Assert.IsType<RunRequested>(loop.Events[0]).Input);
        Assert.IsType<AgentCompleted>(loop.Events[^1]);
        Assert.All(loop.Events.Index(), item => Assert.Equal((run.Run, item.Index + 1), (item.Item.Run, item.Item.Sequence)));
    }

    [Fact]
    public async Task A_request_whose_answer_was_lost_is_sent_again_and_done_once()
    {
        var answers = 0;
        await using var network = service.Network(() => (flow, bytes) =>
            flow == Flow.Up || !Encoding.ASCII.GetString(bytes).StartsWith("HTTP/1.1 202", StringComparison.Ordinal) || Interlocked.Increment(ref answers) > 2);
        await using var client = Client(network.Url);
        var run = await client.StartRunAsync("t-1", "What is 2 + 2?", cancellationToken: Cancellation);

        Assert.Equal(3, answers);
        var events = (await service.EventsAsync(_user, "after=0")).GetProperty("events").EnumerateArray();
        Assert.Equal(run.Run, Assert.Single(events, e => e.GetProperty("type").GetString() == EventTypes.RunRequested).GetProperty("run").GetString());
    }

    [Fact]
    public async Task The_same_key_is_the_same_run_and_with_another_input_a_mistake()
    {
        await using var client = Client(service.Url);
        var first = await client.StartRunAsync("t-1", "What is 2 + 2?", key: "k", cancellationToken: Cancellation);
        var again = await client.StartRunAsync("t-1", "What is 2 + 2?", key: "k", cancellationToken: Cancellation);
        Assert.Equal(first.Run, again.Run);
        var other = await client.StartRunAsync("t-1", "What is 2 + 2?", cancellationToken: Cancellation);
        Assert.NotEqual(first.Run, other.Run);

        var mistake = await Assert.ThrowsAsync<CommandException>(() => client.StartRunAsync("t-1", "And 3 + 3?", key: "k", cancellationToken: Cancellation));
        Assert.Equal((422, "Idempotency-Key"), (mistake.Status, mistake.Field));
        Assert.NotEmpty(mistake.Title!);
    }

    [Fact]
    public async Task A_run_is_cancelled_from_another_device_and_asking_again_changes_nothing()
    {
        await using var client = Client(service.Url);
        var run = await client.StartRunAsync("t-1", "anything", agent: "nobody-runs-this", cancellationToken: Cancellation);
        await using var device = Client(service.Url);
        Assert.Equal(run.Run, (await device.CancelAsync(run.Run, Cancellation)).Run);
        await using var loop = Loop.Over(Loop.Options(service.Url, _user, after: run.Cursor));
        await Eventually.HoldsAsync("the run has ended", () => loop.Events.Any(e => EventTypes.IsTerminal(e.Type)));
        var ended = await device.CancelAsync(run.Run, Cancellation);
        Assert.Equal(run.Run, ended.Run);
        Assert.NotNull(ended.EndedAt);
    }

    [Fact]
    public async Task A_run_that_is_not_there_is_refused_at_once_with_what_the_service_says()
    {
        await using var client = Client(service.Url);
        var refused = await Assert.ThrowsAsync<CommandException>(() => client.CancelAsync("r-none", Cancellation));
        Assert.Equal(404, refused.Status);
        Assert.Contains("r-none", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_can_not_be_right_is_not_sent()
    {
        await using var client = Client(new Uri("http://127.0.0.1:1/"));
        await Assert.ThrowsAsync<ArgumentException>(() => client.StartRunAsync("", "input", cancellationToken: Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => client.StartRunAsync("t", " ", cancellationToken: Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => client.StartRunAsync("t", "input", key: "", cancellationToken: Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => client.CancelAsync(new string('r', 129), Cancellation));
    }

    [Fact]
    public async Task A_service_that_never_answers_is_asked_six_times()
    {
        var tries = 0;
        await using var network = service.Network(() => (_, _) => Interlocked.Increment(ref tries) < 0);
        await using var client = Client(network.Url);
        var error = await Assert.ThrowsAsync<CommandException>(() => client.StartRunAsync("t-1", "input", cancellationToken: Cancellation));
        Assert.Equal((0, 6), (error.Status, tries));
        Assert.NotNull(error.InnerException);
    }

    [Fact]
    public async Task A_refused_token_is_renewed_once()
    {
        var tokens = new Queue<string>(["expired", Service.Token(_user), "wrong", "wrong too"]);
        await using var client = new AgentEventsClient(new AgentEventsOptions { Url = service.Url, Token = _ => ValueTask.FromResult(tokens.Dequeue()) });
        await client.StartRunAsync("t-1", "What is 2 + 2?", cancellationToken: Cancellation);
        Assert.Equal(2, tokens.Count);

        await using var other = new AgentEventsClient(new AgentEventsOptions { Url = service.Url, Token = _ => ValueTask.FromResult(tokens.Dequeue()) });
        Assert.Equal(401, (await Assert.ThrowsAsync<CommandException>(() => other.CancelAsync("r", Cancellation))).Status);
        Assert.Empty(tokens);
    }

    private AgentEventsClient Client(Uri url) => new(Loop.Options(url, _user));
}

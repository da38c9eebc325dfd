using Microsoft.Extensions.Options;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

public sealed class DemoAgentTests() : WorkerSuite("sqlite")
{
    [Fact]
    public async Task It_shows_every_kind_of_step()
    {
        var events = await AnswerAsync("What is 6 * 7, what time is it in Europe/Berlin, and what is a cursor?");
        Assert.Superset(
            new HashSet<string>
            {
                EventTypes.RunRequested, EventTypes.AgentStarted, EventTypes.AgentThinking, EventTypes.ToolExecuting,
                EventTypes.ToolCompleted, EventTypes.AgentMessage, EventTypes.AgentCompleted,
            },
            Types(events).ToHashSet());
        Assert.Equal(
            ["calculator", "clock", "search"], events.Where(e => e.Type == EventTypes.ToolCompleted).Select(e => e.Text("tool")));
        Assert.All(
            events.Where(e => e.Type == EventTypes.ToolCompleted), e => Assert.True(e.Data.GetProperty("succeeded").GetBoolean()));
    }

    [Fact]
    public async Task The_whole_message_is_what_was_streamed()
    {
        var messages = (await AnswerAsync("What is 6 * 7?")).Where(e => e.Type == EventTypes.AgentMessage).ToList();
        Assert.Equal("6 * 7 = 42", messages[^1].Text("text"));
        Assert.False(messages[^1].Data.GetProperty("delta").GetBoolean());
        Assert.Equal("6 * 7 = 42", string.Concat(messages.SkipLast(1).Select(e => e.Text("text"))));
        Assert.All(messages.SkipLast(1), e => Assert.True(e.Data.GetProperty("delta").GetBoolean()));
    }

    [Fact]
    public async Task A_tool_that_fails_is_shown_and_the_run_goes_on()
    {
        var events = await AnswerAsync("10 / 0");
        var failed = Assert.Single(events, e => e.Type == EventTypes.ToolCompleted);
        Assert.False(failed.Data.GetProperty("succeeded").GetBoolean());
        Assert.Equal("division by zero at position 4", failed.Text("error"));
        Assert.Contains("division by zero", events[^2].Text("text"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("xyzzy")]
    [InlineData("\0 (((((((")]
    public async Task Any_request_gets_an_answer(string input) =>
        Assert.Equal(EventTypes.AgentMessage, (await AnswerAsync(input))[^2].Type);

    [Theory]
    [InlineData("What is 6 * 7?", 3, 15)]
    [InlineData("hello", 3, 15)]
    [InlineData("What is 6 * 7, what time is it in Europe/Berlin, and what is a cursor?", 3, 15)]
    [InlineData("think for a long while", 30, 90)]
    public async Task Its_pace_is_a_humans(string input, double least, double most)
    {
        var pauses = new SummedPauses();
        await StartWorkerAsync((context, ct) => new DemoAgent(pauses, Options.Create(new WorkerOptions())).RunAsync(context, ct));
        await EndsAsync(await AskAsync(input: input), RunStatus.Completed);
        Assert.InRange(pauses.Sum.TotalSeconds, least, most);
    }

    [Fact]
    public async Task It_streams_thoughts_and_messages()
    {
        var events = await AnswerAsync("What is 6 * 7?");
        foreach (var type in new[] { EventTypes.AgentThinking, EventTypes.AgentMessage })
        {
            Assert.Equal([false, true], events.Where(e => e.Type == type).Select(e => e.Data.GetProperty("delta").GetBoolean()).Distinct().Order());
        }
    }

    [Fact]
    public async Task It_quotes_little_of_a_long_expression()
    {
        var events = await AnswerAsync(string.Join(" + ", Enumerable.Repeat("1", 120)));
        var answer = events.Last(e => e.Type == EventTypes.AgentMessage).Text("text")!;
        Assert.EndsWith("… = 120", answer, StringComparison.Ordinal);
        Assert.InRange(answer.Length, 80, 90);
    }

    [Fact]
    public async Task A_long_think_is_shown_all_along()
    {
        var events = await AnswerAsync("think for a long while about cursors");
        Assert.True(events.Count(e => e.Type == EventTypes.AgentThinking) > 20);
    }

    [Fact]
    public async Task Stopping_a_long_think_does_not_wait_for_its_next_thought()
    {
        var worker = await StartWorkerAsync((_, _) => Task.CompletedTask, ("Worker:DemoPace", "10"), ("Worker:CancelGrace", "00:01:00"));
        var run = await AskAsync("demo", "think for a long while");
        await Eventually.HoldsAsync("it thinks", () => HasAsync(run, EventTypes.AgentThinking));
        worker.Commands.Cancel(new CancelRun { Tenant = "default", User = "alice", Run = run.Run });
        await Eventually.HoldsAsync(
            "it stopped", async () => (await GetAsync(run)).Status == RunStatus.Cancelled, TimeSpan.FromSeconds(5));
    }

    private async Task<IReadOnlyList<StoredEvent>> AnswerAsync(string input)
    {
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        return await EndsAsync(await AskAsync("demo", input), RunStatus.Completed);
    }

    /// <summary>Every pause passes at once, and counts.</summary>
    private sealed class SummedPauses : TimeProvider
    {
        public TimeSpan Sum { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Sum += dueTime;
            return base.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}

using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>One worker, and what its agents may do.</summary>
public abstract class ExecutionTests(string provider) : WorkerSuite(provider)
{
    private static readonly (string, string?) NeverScans = ("Worker:ScanInterval", "00:00:20");
    private static readonly (string, string?) LongLease = ("Worker:Lease", "00:01:00");

    [Fact]
    public async Task A_queued_run_is_found_without_any_message_and_completed()
    {
        var run = await AskAsync();
        await StartWorkerAsync(async (context, ct) =>
        {
            Assert.Equal(("default", "alice", "t-1", "hello", 1), (context.Tenant, context.User, context.Thread, context.Input, context.Attempt));
            await context.ThinkAsync("hm", ct);
            await context.MessageDeltaAsync("Hel", ct);
            await context.MessageDeltaAsync("lo", ct);
            await context.MessageAsync("Hello", ct);
            context.Result = "greeted";
        });

        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(
            ["run_requested", "agent_started", "agent_thinking", "agent_message", "agent_message", "agent_message", "agent_completed"],
            Types(events));
        Assert.Equal("scripted", events[1].Text("agent"));
        Assert.Equal("greeted", events[^1].Text("result"));
    }

    [Fact]
    public async Task A_message_starts_a_run_at_once()
    {
        var worker = await StartWorkerAsync((_, _) => Task.CompletedTask, NeverScans, LongLease);
        var run = await AskAsync();
        await worker.NudgeAsync(run);
        Assert.NotEqual(RunStatus.Queued, (await GetAsync(run)).Status);
        await EndsAsync(run, RunStatus.Completed);
    }

    [Fact]
    public async Task A_doubled_message_starts_one_execution()
    {
        var executions = 0;
        var worker = await StartWorkerAsync((_, _) => Task.FromResult(Interlocked.Increment(ref executions)));
        var run = await AskAsync();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => worker.NudgeAsync(run)));
        await EndsAsync(run, RunStatus.Completed);
        await worker.NudgeAsync(run);
        await worker.StopAsync(Stop);
        Assert.Equal(1, executions);
        Assert.Equal(1, (await GetAsync(run)).Attempt);
    }

    [Fact]
    public async Task A_full_worker_leaves_further_runs_queued_until_it_has_room()
    {
        var go = new TaskCompletionSource();
        var worker = await StartWorkerAsync((_, ct) => go.Task.WaitAsync(ct), ("Worker:MaxConcurrentRuns", "1"));
        var first = await AskAsync();
        await Eventually.HoldsAsync("the first run is executing", async () => (await GetAsync(first)).Status == RunStatus.Running);
        var second = await AskAsync();
        await worker.NudgeAsync(second);
        Assert.Equal(RunStatus.Queued, (await GetAsync(second)).Status);
        go.SetResult();
        await EndsAsync(first, RunStatus.Completed);
        await EndsAsync(second, RunStatus.Completed);
    }

    [Fact]
    public async Task A_cancel_message_reaches_the_agent_at_once()
    {
        var worker = await StartWorkerAsync((_, ct) => Task.Delay(Timeout.Infinite, ct), NeverScans, LongLease);
        var run = await AskAsync();
        await worker.NudgeAsync(run);
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        worker.Commands.Cancel(new CancelRun { Tenant = "default", User = "alice", Run = run.Run });
        var events = await EndsAsync(run, RunStatus.Cancelled);
        Assert.Equal(["run_requested", "agent_started", "agent_cancelled"], Types(events));
    }

    [Fact]
    public async Task A_cancel_whose_message_was_lost_is_read_at_lease_renewal()
    {
        await StartWorkerAsync((_, ct) => Task.Delay(Timeout.Infinite, ct));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
    }

    [Fact]
    public async Task An_agent_that_returns_on_its_cancelled_token_is_cancelled_not_completed()
    {
        await StartWorkerAsync((_, ct) => Task.Delay(Timeout.Infinite, ct).ContinueWith(_ => { }, TaskScheduler.Default));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
    }

    [Fact]
    public async Task An_agent_that_ignores_its_token_is_fenced_off_and_keeps_its_slot_until_it_returns()
    {
        var go = new TaskCompletionSource();
        Exception? refusal = null;
        var worker = await StartWorkerAsync(
            async (context, _) =>
            {
                await go.Task;
                refusal = await Record.ExceptionAsync(() => context.MessageAsync("I am still here", CancellationToken.None));
            },
            ("Worker:MaxConcurrentRuns", "1"));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
        Assert.Equal(0, worker.Slots.Free);

        go.SetResult();
        await Eventually.HoldsAsync("the slot is free again", () => worker.Slots.Free == 1);
        Assert.IsType<RunLostException>(refusal);
        Assert.Equal(EventTypes.AgentCancelled, (await EventsAsync(run))[^1].Type);
    }

    [Fact]
    public async Task An_agent_that_throws_fails_its_run_with_its_message()
    {
        await StartWorkerAsync((_, _) => throw new InvalidOperationException("The oven is cold"));
        var failed = (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1];
        Assert.Equal(("agent_error", "The oven is cold"), (failed.Text("reason"), failed.Text("error")));
    }

    [Fact]
    public async Task A_cancellation_of_the_agents_own_fails_its_run()
    {
        await StartWorkerAsync((_, _) => Task.FromCanceled(new CancellationToken(canceled: true)));
        Assert.Equal("agent_error", (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1].Text("reason"));
    }

    [Fact]
    public async Task An_agent_that_takes_too_long_is_stopped()
    {
        await StartWorkerAsync((_, ct) => Task.Delay(Timeout.Infinite, ct), ("Worker:MaxRunTime", "00:00:01"));
        Assert.Equal("timed_out", (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1].Text("reason"));
    }

    [Fact]
    public async Task A_run_for_an_unknown_agent_fails_and_says_who_is_known()
    {
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        var failed = (await EndsAsync(await AskAsync("nobody"), RunStatus.Failed))[^1];
        Assert.Equal("unknown_agent", failed.Text("reason"));
        Assert.Contains("demo, scripted, resumable", failed.Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_result_that_cannot_be_stored_fails_the_run()
    {
        await StartWorkerAsync((context, _) => Task.FromResult(context.Result = new string('x', 300_000)));
        var failed = (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1];
        Assert.Equal("agent_error", failed.Text("reason"));
    }

    [Fact]
    public async Task Starts_and_endings_are_not_the_agents_to_write()
    {
        await StartWorkerAsync((context, ct) => context.EmitAsync(new AgentCompleted(), ct));
        var failed = (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1];
        Assert.Contains("agent_completed is the worker's to write", failed.Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_call_is_shown_with_its_arguments_and_its_result_or_error()
    {
        await StartWorkerAsync(async (context, ct) =>
        {
            Assert.Equal(3, await context.CallToolAsync("add", new { Left = 1, Right = 2 }, _ => Task.FromResult(3), ct));
            await Assert.ThrowsAsync<IOException>(
                () => context.CallToolAsync<int>("disk", null, _ => throw new IOException("full"), ct));
        });
        var events = await EndsAsync(await AskAsync(), RunStatus.Completed);
        Assert.Equal(
            ["run_requested", "agent_started", "tool_executing", "tool_completed", "tool_executing", "tool_completed", "agent_completed"],
            Types(events));
        Assert.Equal("""{"left":1,"right":2}""", events[2].Data.GetProperty("arguments").GetRawText());
        Assert.Equal(events[2].Text("toolCallId"), events[3].Text("toolCallId"));
        Assert.NotEqual(events[2].Text("toolCallId"), events[4].Text("toolCallId"));
        Assert.True(events[3].Data.GetProperty("succeeded").GetBoolean());
        Assert.Equal(3, events[3].Data.GetProperty("result").GetInt32());
        Assert.False(events[5].Data.GetProperty("succeeded").GetBoolean());
        Assert.Equal("full", events[5].Text("error"));
    }
}

public sealed class SqliteExecutionTests() : ExecutionTests("sqlite");

public sealed class PostgresExecutionTests() : ExecutionTests("postgres");

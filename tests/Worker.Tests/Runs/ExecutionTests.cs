using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>One worker, and what its agents may do.</summary>
public abstract class ExecutionTests(string provider) : WorkerSuite(provider)
{
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
        // Not started, so that it scans for nothing.
        var worker = NewWorker();
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
        // Not started, so that it renews nothing.
        var worker = NewWorker();
        worker.Script.Body = (_, ct) => UntilCancelledAsync(ct);
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
        await StartWorkerAsync((_, ct) => UntilCancelledAsync(ct));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
    }

    [Fact]
    public async Task An_agent_that_returns_on_its_cancelled_token_is_cancelled_not_completed()
    {
        await StartWorkerAsync((_, ct) => UntilCancelledAsync(ct).ContinueWith(_ => { }, TaskScheduler.Default));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
    }

    [Fact]
    public async Task An_agent_that_ignores_its_token_is_fenced_off_and_keeps_its_slot_but_no_stop_waits_for_it()
    {
        var go = new TaskCompletionSource();
        Exception? refusal = null;
        var worker = await StartWorkerAsync(
            async (context, _) =>
            {
                await go.Task;
                refusal = await Record.ExceptionAsync(() => context.MessageAsync("I am still here", CancellationToken.None));
            },
            ("Worker:MaxConcurrentRuns", "1"), ("Worker:StopGrace", "00:01:00"));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the agent works", () => HasAsync(run, EventTypes.AgentStarted));
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await EndsAsync(run, RunStatus.Cancelled);
        Assert.Equal(0, worker.Slots.Free);
        await worker.StopAsync(Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop);

        go.SetResult();
        await Eventually.HoldsAsync("the agent is refused", () => refusal is not null);
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
        await StartWorkerAsync((_, ct) => UntilCancelledAsync(ct), ("Worker:MaxRunTime", "00:00:01"));
        Assert.Equal("timed_out", (await EndsAsync(await AskAsync(), RunStatus.Failed))[^1].Text("reason"));
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
    public async Task A_history_ends_though_the_run_goes_on_by_more_than_is_read()
    {
        // So long that a page of the log holds a few.
        var thought = new string('x', 200_000);
        var history = new List<string>();
        await StartWorkerAsync(async (context, ct) =>
        {
            for (var i = 0; i < 10; i++)
            {
                await context.ThinkAsync(thought, ct);
            }

            await foreach (var @event in context.ReadHistoryAsync(ct))
            {
                history.Add(@event.Type);
                await context.ThinkAsync(thought, ct);
                await context.ThinkAsync(thought, ct);
            }
        });
        await EndsAsync(await AskAsync(), RunStatus.Completed);
        Assert.Equal(["run_requested", "agent_started", .. Enumerable.Repeat("agent_thinking", 10)], history);
    }

    [Fact]
    public async Task A_message_does_not_let_its_run_pass_older_ones_that_wait()
    {
        // Not started, so that it looks when it is told to.
        var go = new TaskCompletionSource();
        var worker = NewWorker(null, ("Worker:MaxConcurrentRuns", "1"));
        worker.Script.Body = (_, ct) => go.Task.WaitAsync(ct);
        await worker.NudgeAsync(await AskAsync());
        var (older, newer) = (await AskAsync(), await AskAsync());
        var finder = worker.Get<RunFinder>();
        await finder.FindAsync(Stop);
        go.SetResult();
        await Eventually.HoldsAsync("there is room", () => worker.Slots.Free == 1);

        await worker.NudgeAsync(newer);
        Assert.Equal(RunStatus.Queued, (await GetAsync(newer)).Status);

        await finder.FindAsync(Stop);
        await EndsAsync(older, RunStatus.Completed);
    }
}

public sealed class SqliteExecutionTests() : ExecutionTests("sqlite");

public sealed class PostgresExecutionTests() : ExecutionTests("postgres");

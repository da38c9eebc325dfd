using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

/// <summary>Workers that die, stop or sleep: every run still ends, once.</summary>
public abstract class LostWorkerTests(string provider) : WorkerSuite(provider)
{
    [Fact]
    public async Task A_run_whose_worker_died_is_resumed_where_the_agent_can()
    {
        var run = await ClaimAndDieAsync("resumable");
        var history = new List<string>();
        await StartWorkerAsync(async (context, ct) =>
        {
            Assert.Equal(2, context.Attempt);
            await foreach (var @event in context.ReadHistoryAsync(ct))
            {
                history.Add(@event.Type);
            }
        });

        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(["run_requested", "agent_started", "agent_started", "agent_completed"], Types(events));
        Assert.Equal(["run_requested", "agent_started", "agent_started"], history);
        Assert.Equal(2, (await GetAsync(run)).Attempt);
    }

    [Fact]
    public async Task A_run_whose_worker_died_ends_as_worker_lost_where_the_agent_cannot_resume()
    {
        var run = await ClaimAndDieAsync("scripted");
        await StartWorkerAsync((_, _) => throw new InvalidOperationException("must not be executed again"));
        var events = await EndsAsync(run, RunStatus.Failed);
        Assert.Equal("worker_lost", events[^1].Text("reason"));
    }

    [Fact]
    public async Task A_run_that_keeps_killing_its_workers_is_not_tried_for_ever()
    {
        var run = await ClaimAndDieAsync("resumable");
        await StartWorkerAsync((_, _) => Task.CompletedTask, ("Worker:MaxAttempts", "1"));
        var events = await EndsAsync(run, RunStatus.Failed);
        Assert.Equal("worker_lost", events[^1].Text("reason"));
        Assert.Contains("1 attempts", events[^1].Text("error"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("resumable")]
    [InlineData("scripted")]
    public async Task A_run_claimed_by_a_worker_that_died_at_once_is_executed_by_another(string agent)
    {
        var dying = NewWorker(null, ("Failpoints:after-claim", "throw"), ("Worker:ScanInterval", "00:00:00.1"));
        var run = await AskAsync(agent);
        await dying.NudgeAsync(run);
        Assert.Equal(1, (await GetAsync(run)).Attempt);
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        await EndsAsync(run, RunStatus.Completed);
    }

    [Fact]
    public async Task A_run_whose_worker_dies_before_its_ending_is_written_still_ends_once()
    {
        var dying = NewWorker(null, ("Failpoints:before-ending", "throw"));
        var run = await AskAsync();
        await dying.NudgeAsync(run);
        await Eventually.HoldsAsync("it is given up", () => dying.Slots.Held.Count == 0);
        Assert.Contains("before-ending", Assert.Single(dying.TakeErrors()), StringComparison.Ordinal);

        await StartWorkerAsync((_, _) => Task.CompletedTask);
        Assert.Equal("worker_lost", (await EndsAsync(run, RunStatus.Failed))[^1].Text("reason"));
    }

    [Theory]
    [InlineData("resumable")]
    [InlineData("scripted")]
    public async Task A_cancelled_run_whose_worker_died_ends_as_cancelled(string agent)
    {
        var run = await ClaimAndDieAsync(agent);
        await Runs.RequestCancelAsync(run.Stream, run.Run, Stop);
        await StartWorkerAsync((_, _) => throw new InvalidOperationException("must not be executed again"));
        Assert.Equal(["run_requested", "agent_started", "agent_cancelled"], Types(await EndsAsync(run, RunStatus.Cancelled)));
    }

    [Fact]
    public async Task A_full_worker_puts_a_lost_run_back_to_the_queue()
    {
        var run = await ClaimAndDieAsync("resumable");
        var go = new TaskCompletionSource();
        var other = await AskAsync();
        await StartWorkerAsync((context, ct) => context.Run == run.Run ? Task.CompletedTask : go.Task.WaitAsync(ct), ("Worker:MaxConcurrentRuns", "1"));
        await Eventually.HoldsAsync("the worker is full", async () => (await GetAsync(other)).Status == RunStatus.Running);
        await Eventually.HoldsAsync("the lost run waits for any worker", async () => (await GetAsync(run)).Status == RunStatus.Queued);
        go.SetResult();
        await EndsAsync(run, RunStatus.Completed);
    }

    [Fact]
    public async Task In_a_rolling_deployment_a_run_goes_to_a_worker_that_has_its_agent()
    {
        var lost = await ClaimAndDieAsync("resumable");
        await StartWorkerAsync((_, _) => Task.CompletedTask, (TestWorker.Lacks, "resumable"));
        var asked = await AskAsync("resumable");
        var own = await AskAsync();
        await EndsAsync(own, RunStatus.Completed);
        await Eventually.HoldsAsync("the lost run is back in the queue", async () => (await GetAsync(lost)).Status == RunStatus.Queued);
        Assert.Equal(RunStatus.Queued, (await GetAsync(asked)).Status);

        await StartWorkerAsync((_, _) => Task.CompletedTask);
        await EndsAsync(lost, RunStatus.Completed);
        await EndsAsync(asked, RunStatus.Completed);
    }

    [Fact]
    public async Task A_lost_run_that_cannot_resume_is_ended_also_by_a_worker_that_lacks_its_agent()
    {
        var run = await ClaimAndDieAsync("scripted");
        await StartWorkerAsync((_, _) => Task.CompletedTask, (TestWorker.Lacks, "scripted"));
        Assert.Equal("worker_lost", (await EndsAsync(run, RunStatus.Failed))[^1].Text("reason"));
    }

    [Theory]
    [InlineData("resumable", RunStatus.Completed)]
    [InlineData("scripted", RunStatus.Failed)]
    public async Task A_worker_that_wakes_after_its_run_was_taken_over_writes_no_second_ending(string agent, RunStatus status)
    {
        // Its clock stands still, so it renews nothing, like a process under SIGSTOP.
        var asleep = new TaskCompletionSource();
        Exception? refusal = null;
        var sleeper = await StartWorkerAsync(new FakeTimeProvider(), async (context, ct) =>
        {
            await asleep.Task;
            refusal = await Record.ExceptionAsync(() => context.MessageAsync("awake", ct));
        });
        var run = await AskAsync(agent);
        await sleeper.NudgeAsync(run);
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));

        await StartWorkerAsync((_, _) => Task.CompletedTask);
        var before = await EndsAsync(run, status);
        asleep.SetResult();

        await Eventually.HoldsAsync("the sleeper is refused", () => refusal is not null);
        Assert.IsType<RunLostException>(refusal);
        await Eventually.HoldsAsync("and holds the run no more", () => sleeper.Slots.Held.Count == 0);
        Assert.Equal(Types(before), Types(await EventsAsync(run)));
    }

    [Fact]
    public async Task A_lost_runs_agent_is_cancelled_when_the_next_renewal_misses_it()
    {
        var clock = new FakeTimeProvider();
        var cancelled = new TaskCompletionSource();
        var sleeper = await StartWorkerAsync(clock, async (_, ct) =>
        {
            await UntilCancelledAsync(ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancelled.SetResult();
        });
        var run = await AskAsync("resumable");
        await sleeper.NudgeAsync(run);
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        await EndsAsync(run, RunStatus.Completed);

        clock.Advance(TimeSpan.FromSeconds(1));
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10), Stop);
    }

    [Fact]
    public async Task A_run_appended_over_HTTP_that_falls_silent_ends_when_its_lease_runs_out()
    {
        var desk = NewWorker();
        var started = new AgentStarted { Tenant = "default", User = "alice", Thread = "t-1", Run = "r-http", Agent = "", Lease = 5 };
        await desk.Get<EventLog>().AppendAsync([desk.Get<EventEncoder>().Encode(started)], Stop);
        await StartWorkerAsync((_, _) => Task.CompletedTask);
        var events = await EndsAsync(new RunKey(Alice, "r-http"), RunStatus.Failed);
        Assert.Equal("worker_lost", events[^1].Text("reason"));
    }

    [Fact]
    public async Task A_stopping_worker_gives_resumable_runs_back_and_another_goes_on()
    {
        var stopping = await StartWorkerAsync(async (context, ct) =>
        {
            await context.MessageDeltaAsync("half an ans", ct);
            await UntilCancelledAsync(ct);
        });
        var run = await AskAsync("resumable");
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentMessage));
        await stopping.StopAsync(Stop);
        Assert.Equal(RunStatus.Queued, (await GetAsync(run)).Status);

        await StartWorkerAsync((context, ct) => context.MessageAsync("the answer", ct));
        var events = await EndsAsync(run, RunStatus.Completed);
        Assert.Equal(
            ["run_requested", "agent_started", "agent_message", "agent_started", "agent_message", "agent_completed"], Types(events));
    }

    [Fact]
    public async Task A_stopping_worker_lets_other_runs_finish()
    {
        var go = new TaskCompletionSource();
        var stopping = await StartWorkerAsync((_, ct) => go.Task.WaitAsync(ct), ("Worker:StopGrace", "00:01:00"));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        var stop = stopping.StopAsync(Stop);
        Assert.False(stopping.Scheduler.IsReady);
        var late = await AskAsync();
        await stopping.NudgeAsync(late);
        go.SetResult();
        await stop;
        Assert.Equal(RunStatus.Completed, (await GetAsync(run)).Status);
        Assert.Equal(RunStatus.Queued, (await GetAsync(late)).Status);
    }

    [Fact]
    public async Task What_does_not_finish_while_its_worker_stops_ends_as_worker_lost_right_away()
    {
        var stopping = await StartWorkerAsync((_, ct) => UntilCancelledAsync(ct), ("Worker:StopGrace", "00:00:00.2"));
        var run = await AskAsync();
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        await stopping.StopAsync(Stop);
        Assert.Equal("worker_lost", (await EventsAsync(run))[^1].Text("reason"));
    }

    /// <summary>A run under way on a worker that then renews nothing any more.</summary>
    private async Task<RunKey> ClaimAndDieAsync(string agent)
    {
        // With room for this run alone: its first look for queued ones may come late.
        var dying = await StartWorkerAsync(
            new FakeTimeProvider(), (_, ct) => UntilCancelledAsync(ct), ("Worker:MaxConcurrentRuns", "1"));
        var run = await AskAsync(agent);
        await dying.NudgeAsync(run);
        await Eventually.HoldsAsync("the run is under way", () => HasAsync(run, EventTypes.AgentStarted));
        return run;
    }
}

public sealed class SqliteLostWorkerTests() : LostWorkerTests("sqlite");

public sealed class PostgresLostWorkerTests() : LostWorkerTests("postgres");

using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class LostRunsOnSqlite() : LostRunsCompliance("sqlite");

public abstract class LostRunsCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task A_run_that_was_renewed_or_requeued_since_is_not_requeued_nor_ended()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var seen = await ReadLeaseAsync(claimed.Key);
        await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop);

        Assert.False(await Two.Lost.RequeueAsync(seen, Stop));
        Assert.False(await Two.Lost.EndAsync(seen, FailureReasons.WorkerLost, "gone", Stop));

        var now = await ReadLeaseAsync(claimed.Key);
        var done = await Task.WhenAll(Enumerable.Range(0, 6).Select(i =>
            Task.Run(() => RequeueWhileRunningAsync(i % 2 == 0 ? One : Two, now), Stop)));
        Assert.Single(done, requeued => requeued);
        Assert.Equal([EventTypes.RunRequested], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task A_requeued_run_keeps_its_attempt_and_its_place_in_the_queue()
    {
        var old = await CreateClaimedRunAsync(One);
        var newer = await CreateRunAsync(Bob);

        Assert.True(await Two.Lost.RequeueAsync(await ReadLeaseAsync(old.Key), Stop));

        var run = await One.Runs.GetAsync(Alice, old.Key.Run, Stop);
        Assert.Equal((RunStatus.Queued, 1), (run!.Status, run.Attempt));
        Assert.Equal([old.Key, new RunKey(Bob, newer.Run)], await Two.Claims.FindQueuedAsync(10, Stop));
        Assert.Empty(await One.Claims.RenewAsync([(old.Key, old.Attempt)], Stop));
        var own = await Two.Outbox.ReadAsync(await Two.Outbox.ReadOwnIdsAsync(10, Stop), Stop);
        Assert.Equal(nameof(StartRun), Assert.Single(own).Command!.Type);
    }

    [Fact]
    public async Task A_lost_run_ends_with_its_reason()
    {
        var claimed = await CreateClaimedRunAsync(One);

        Assert.True(await Two.Lost.EndAsync(await ReadLeaseAsync(claimed.Key), FailureReasons.WorkerLost, "gone", Stop));

        Assert.Equal(RunStatus.Failed, (await One.Runs.GetAsync(Alice, claimed.Key.Run, Stop))!.Status);
        var failed = await QueryAsync(context => context.Events.SingleAsync(row => row.Type == EventTypes.AgentFailed, Stop));
        Assert.Equal(2, failed.Sequence);
        Assert.Contains("\"worker_lost\"", failed.Body, StringComparison.Ordinal);
        Assert.Empty(await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop));
        Assert.Empty(await One.Lost.ReadLeasesAsync(Stop));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lost_run_that_was_cancelled_ends_as_cancelled(bool canResume)
    {
        var claimed = await CreateClaimedRunAsync(One);
        await Two.Runs.RequestCancelAsync(Alice, claimed.Key.Run, Stop);
        var lease = await ReadLeaseAsync(claimed.Key);

        Assert.True(canResume
            ? await Two.Lost.RequeueAsync(lease, Stop)
            : await Two.Lost.EndAsync(lease, FailureReasons.WorkerLost, "gone", Stop));

        Assert.Equal(RunStatus.Cancelled, (await One.Runs.GetAsync(Alice, claimed.Key.Run, Stop))!.Status);
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentCancelled], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task A_lease_tells_whether_the_run_may_run_again()
    {
        var claimed = await CreateClaimedRunAsync(One);
        Assert.True((await ReadLeaseAsync(claimed.Key)).MayRunAgain);
        await One.AppendAsync(claimed, new AgentStarted { Agent = "demo" });
        Assert.True((await ReadLeaseAsync(claimed.Key)).MayRunAgain);

        await QueryAsync(context => context.Runs.ExecuteUpdateAsync(set => set.SetProperty(row => row.CanResume, false), Stop));
        Assert.False((await ReadLeaseAsync(claimed.Key)).MayRunAgain);

        await QueryAsync(context => context.Runs.ExecuteUpdateAsync(set => set.SetProperty(row => row.LastSequence, 1), Stop));
        Assert.True((await ReadLeaseAsync(claimed.Key)).MayRunAgain);
    }

    [Fact]
    public async Task However_a_worker_races_with_those_who_think_it_dead_the_run_ends_once()
    {
        for (var round = 0; round < 10; round++)
        {
            var claimed = await CreateClaimedRunAsync(One);
            var seen = await ReadLeaseAsync(claimed.Key);

            await Task.WhenAll(
                Task.Run(() => IgnoreRefusalAsync(One.AppendAsync(claimed, new AgentCompleted())), Stop),
                Task.Run(() => Two.Lost.EndAsync(seen, FailureReasons.WorkerLost, "gone", Stop), Stop),
                Task.Run(() => One.Lost.EndAsync(seen, FailureReasons.WorkerLost, "gone", Stop), Stop));

            Assert.Single(await TypesAsync(Alice, claimed.Key.Run), EventTypes.IsTerminal);
        }
    }

    [Fact]
    public async Task A_run_with_a_lease_that_no_worker_executes_can_be_ended_but_runs_on_no_worker()
    {
        await One.AppendAsync(new AgentStarted
        {
            Tenant = "default", User = "alice", Thread = "t-1", Run = "theirs", Agent = "theirs", Lease = 10,
        });
        var lease = await ReadLeaseAsync(new RunKey(Alice, "theirs"));

        Assert.Equal((0, TimeSpan.FromSeconds(10), null, false), (lease.Attempt, lease.Length, lease.Worker, lease.MayRunAgain));
        Assert.True(await One.Lost.EndAsync(lease, FailureReasons.WorkerLost, "silent", Stop));
    }

    [Fact]
    public async Task Queued_runs_of_other_agents_are_found_and_can_be_ended_while_they_are_queued()
    {
        var foreign = await One.Runs.CreateAsync(new NewRun(Alice, "t-1", "hello", "weaver", IdempotencyKey: null), Stop);
        await CreateRunAsync();

        var found = Assert.Single(await One.Lost.FindForOthersAsync(["demo", "smith"], 10, Stop));
        Assert.Equal(new QueuedRun(new RunKey(Alice, foreign.Run), "weaver", 0), found);
        Assert.False(await One.Lost.EndAsync(found with { Attempt = 1 }, FailureReasons.UnknownAgent, "nobody", Stop));
        Assert.True(await One.Lost.EndAsync(found, FailureReasons.UnknownAgent, "nobody", Stop));
        Assert.False(await One.Lost.EndAsync(found, FailureReasons.UnknownAgent, "nobody", Stop));
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentFailed], await TypesAsync(Alice, foreign.Run));
    }

    /// <summary>A head that is locked at the moment makes a try fail, so each keeps trying while the run is as it was.</summary>
    private static async Task<bool> RequeueWhileRunningAsync(TestProcess process, RunLease lease)
    {
        while (!await process.Lost.RequeueAsync(lease, Stop))
        {
            if ((await process.Lost.ReadLeasesAsync(Stop)).Count == 0)
            {
                return false;
            }
        }

        return true;
    }

    private static async Task IgnoreRefusalAsync(Task append)
    {
        try
        {
            await append;
        }
        catch (AppendRejectedException)
        {
        }
    }
}

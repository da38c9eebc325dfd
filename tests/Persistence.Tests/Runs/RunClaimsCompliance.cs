using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class RunClaimsOnSqlite() : RunClaimsCompliance("sqlite");

public abstract class RunClaimsCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task Of_many_claimers_one_gets_the_run()
    {
        var created = await CreateRunAsync(input: "hello");

        // A head that is locked at the moment makes a claim fail, so each keeps trying while the run is queued.
        var claims = await Task.WhenAll(Enumerable.Range(0, 10).Select(i =>
            Task.Run(() => ClaimWhileQueuedAsync(i % 2 == 0 ? One : Two, created.Run), Stop)));

        var claimed = Assert.Single(claims, claim => claim is not null)!;
        Assert.Equal(
            new ClaimedRun(new RunKey(Alice, created.Run), "t-1", "demo", "hello", Attempt: 1, LastSequence: 1, CancelRequested: false, FirstPosition: 1),
            claimed);
        var run = await One.Runs.GetAsync(Alice, created.Run, Stop);
        Assert.Equal((RunStatus.Running, 1), (run!.Status, run.Attempt));
        Assert.NotNull(run.StartedAt);
    }

    [Fact]
    public async Task Queued_runs_are_found_oldest_first_and_only_those_meant_for_a_worker()
    {
        var runs = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            runs.Add((await CreateRunAsync(i % 2 == 0 ? Alice : Bob)).Run);
        }

        await One.AppendAsync(new AgentStarted { Tenant = "default", User = "alice", Thread = "t-1", Run = "theirs", Agent = "theirs" });
        await One.Claims.ClaimAsync(Bob, runs[1], Lease, Stop);

        Assert.Equal([new RunKey(Alice, runs[0]), new RunKey(Alice, runs[2])], await One.Claims.FindQueuedAsync(2, Stop));
        Assert.Equal(3, (await One.Claims.FindQueuedAsync(10, Stop)).Count);
    }

    [Fact]
    public async Task A_renewal_moves_the_counters_of_the_runs_that_are_still_ones_own()
    {
        var kept = await CreateClaimedRunAsync(One);
        var taken = await CreateClaimedRunAsync(One);
        var before = await ReadLeaseAsync(kept.Key);
        await TakeOverAsync(Two, taken);

        var renewed = await One.Claims.RenewAsync([(kept.Key, kept.Attempt), (taken.Key, taken.Attempt)], Stop);

        Assert.Equal([new(kept.Key, false)], renewed);
        Assert.Equal(before.Counter + 1, (await ReadLeaseAsync(kept.Key)).Counter);
        Assert.Equal((Two.Identity.Id, Lease), ((await ReadLeaseAsync(taken.Key)).Worker!.Value, (await ReadLeaseAsync(taken.Key)).Length));
    }

    [Fact]
    public async Task A_run_is_lost_to_an_older_attempt_of_the_same_process()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var again = await TakeOverAsync(One, claimed);

        Assert.Empty(await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop));
        Assert.Null(await One.Claims.ReleaseAsync(claimed.Key, claimed.Attempt, Stop));
        Assert.Single(await One.Claims.RenewAsync([(claimed.Key, again.Attempt)], Stop));
    }

    [Fact]
    public async Task An_append_of_the_runs_worker_renews_its_lease_too()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var seen = await ReadLeaseAsync(claimed.Key);
        await One.AppendAsync(claimed, new AgentThinking { Text = "one" });

        Assert.False(await Two.Lost.RequeueAsync(seen, Stop));
    }

    [Fact]
    public async Task A_takeover_fences_the_old_worker()
    {
        var old = await CreateClaimedRunAsync(One);
        await One.AppendAsync(old, new AgentThinking { Text = "one" });

        var taken = await TakeOverAsync(Two, old);

        Assert.Equal((2, 2L), (taken.Attempt, taken.LastSequence));
        var refused = await Assert.ThrowsAsync<AppendRejectedException>(() => One.AppendAsync(old, new AgentCompleted()));
        Assert.Equal(AppendRejection.Fenced, refused.Reason);
        await Two.AppendAsync(taken, new AgentCompleted());
        Assert.Equal(
            [EventTypes.RunRequested, EventTypes.AgentThinking, EventTypes.AgentCompleted], await TypesAsync(Alice, old.Key.Run));
    }

    [Fact]
    public async Task A_run_that_is_given_back_is_claimed_again_at_a_higher_attempt()
    {
        var first = await CreateClaimedRunAsync(One);

        Assert.Null(await Two.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.Equal(RunStatus.Queued, await One.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.Null(await One.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.Equal([first.Key], await Two.Claims.FindQueuedAsync(10, Stop));
        Assert.Empty(await One.Claims.RenewAsync([(first.Key, first.Attempt)], Stop));

        var second = await Two.Claims.ClaimAsync(Alice, first.Key.Run, Lease, Stop);
        Assert.Equal(first.Attempt + 1, second!.Attempt);
        await Assert.ThrowsAsync<AppendRejectedException>(() => One.AppendAsync(first, new AgentCompleted()));
    }

    [Fact]
    public async Task A_run_that_was_cancelled_ends_when_it_is_given_back()
    {
        var claimed = await CreateClaimedRunAsync(One);
        await Two.Runs.RequestCancelAsync(Alice, claimed.Key.Run, Stop);

        Assert.Equal(RunStatus.Cancelled, await One.Claims.ReleaseAsync(claimed.Key, claimed.Attempt, Stop));
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentCancelled], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task Runs_of_agents_that_a_process_does_not_know_are_neither_found_nor_claimed_by_it()
    {
        var foreign = await One.Runs.CreateAsync(new NewRun(Alice, "t-1", "hello", "weaver", IdempotencyKey: null), Stop);
        var own = await CreateRunAsync();

        Assert.Equal([new RunKey(Alice, own.Run)], await One.Claims.FindQueuedAsync(10, Stop));
        Assert.Null(await One.Claims.ClaimAsync(Alice, foreign.Run, Lease, Stop));
        Assert.Equal(RunStatus.Queued, (await One.Runs.GetAsync(Alice, foreign.Run, Stop))!.Status);
    }

    private async Task<ClaimedRun?> ClaimWhileQueuedAsync(TestProcess worker, string run)
    {
        ClaimedRun? claimed;
        do
        {
            claimed = await worker.Claims.ClaimAsync(Alice, run, Lease, Stop);
        }
        while (claimed is null && (await worker.Claims.FindQueuedAsync(1, Stop)).Count > 0);

        return claimed;
    }

    private async Task<ClaimedRun> TakeOverAsync(TestProcess taker, ClaimedRun run)
    {
        Assert.True(await taker.Lost.RequeueAsync(await ReadLeaseAsync(run.Key), Stop));
        return await taker.Claims.ClaimAsync(run.Key.Stream, run.Key.Run, Lease, Stop) ?? throw new InvalidOperationException("not to be had");
    }
}

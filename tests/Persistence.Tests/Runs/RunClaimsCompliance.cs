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
            new ClaimedRun(new RunKey(Alice, created.Run), "t-1", "demo", "hello", Attempt: 1, LastSequence: 1, CancelRequested: false),
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
        await Two.Claims.TakeOverAsync(await ReadLeaseAsync(taken.Key), Lease, Stop);

        var renewed = await One.Claims.RenewAsync([(kept.Key, kept.Attempt), (taken.Key, taken.Attempt)], Stop);

        Assert.Equal([new(kept.Key, false)], renewed);
        Assert.Equal(before.Counter + 1, (await ReadLeaseAsync(kept.Key)).Counter);
        Assert.Equal((Two.Identity.Id, Lease), ((await ReadLeaseAsync(taken.Key)).Worker!.Value, (await ReadLeaseAsync(taken.Key)).Length));
    }

    [Fact]
    public async Task A_run_is_lost_to_an_older_attempt_of_the_same_process()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var again = await One.Claims.TakeOverAsync(await ReadLeaseAsync(claimed.Key), Lease, Stop);

        Assert.Empty(await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop));
        Assert.False(await One.Claims.ReleaseAsync(claimed.Key, claimed.Attempt, Stop));
        Assert.Single(await One.Claims.RenewAsync([(claimed.Key, again!.Attempt)], Stop));
    }

    [Fact]
    public async Task An_append_of_the_runs_worker_renews_its_lease_too()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var seen = await ReadLeaseAsync(claimed.Key);
        await One.AppendAsync(claimed, new AgentThinking { Text = "one" });

        Assert.Null(await Two.Claims.TakeOverAsync(seen, Lease, Stop));
    }

    [Fact]
    public async Task A_takeover_fences_the_old_worker()
    {
        var old = await CreateClaimedRunAsync(One);
        await One.AppendAsync(old, new AgentThinking { Text = "one" });

        var taken = await Two.Claims.TakeOverAsync(await ReadLeaseAsync(old.Key), Lease, Stop);

        Assert.Equal((2, 2L), (taken!.Attempt, taken.LastSequence));
        var refused = await Assert.ThrowsAsync<AppendRejectedException>(() => One.AppendAsync(old, new AgentCompleted()));
        Assert.Equal(AppendRejection.Fenced, refused.Reason);
        await Two.AppendAsync(taken, new AgentCompleted());
        Assert.Equal(
            [EventTypes.RunRequested, EventTypes.AgentThinking, EventTypes.AgentCompleted], await TypesAsync(Alice, old.Key.Run));
    }

    [Fact]
    public async Task A_run_that_was_renewed_or_taken_over_since_is_not_taken_over_nor_ended()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var seen = await ReadLeaseAsync(claimed.Key);
        await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop);

        Assert.Null(await Two.Claims.TakeOverAsync(seen, Lease, Stop));
        Assert.False(await Two.Claims.EndLostAsync(seen, FailureReasons.WorkerLost, "gone", Stop));

        var takers = await Task.WhenAll(Enumerable.Repeat(await ReadLeaseAsync(claimed.Key), 6).Select((lease, i) =>
            Task.Run(() => (i % 2 == 0 ? One : Two).Claims.TakeOverAsync(lease, Lease, Stop), Stop)));
        Assert.Single(takers, taker => taker is not null);
        Assert.Equal([EventTypes.RunRequested], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task A_lost_run_ends_with_its_reason()
    {
        var claimed = await CreateClaimedRunAsync(One);

        Assert.True(await Two.Claims.EndLostAsync(await ReadLeaseAsync(claimed.Key), FailureReasons.WorkerLost, "gone", Stop));

        Assert.Equal(RunStatus.Failed, (await One.Runs.GetAsync(Alice, claimed.Key.Run, Stop))!.Status);
        var failed = await QueryAsync(context => context.Events.SingleAsync(row => row.Type == EventTypes.AgentFailed, Stop));
        Assert.Equal(2, failed.Sequence);
        Assert.Contains("\"worker_lost\"", failed.Body, StringComparison.Ordinal);
        Assert.Empty(await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop));
        Assert.Empty(await One.Claims.ReadLeasesAsync(Stop));
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
                Task.Run(() => Two.Claims.EndLostAsync(seen, FailureReasons.WorkerLost, "gone", Stop), Stop),
                Task.Run(() => One.Claims.EndLostAsync(seen, FailureReasons.WorkerLost, "gone", Stop), Stop));

            Assert.Single(await TypesAsync(Alice, claimed.Key.Run), EventTypes.IsTerminal);
        }
    }

    [Fact]
    public async Task A_run_that_is_given_back_is_claimed_again_at_a_higher_attempt()
    {
        var first = await CreateClaimedRunAsync(One);

        Assert.False(await Two.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.True(await One.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.False(await One.Claims.ReleaseAsync(first.Key, first.Attempt, Stop));
        Assert.Equal([first.Key], await Two.Claims.FindQueuedAsync(10, Stop));
        Assert.Empty(await One.Claims.RenewAsync([(first.Key, first.Attempt)], Stop));

        var second = await Two.Claims.ClaimAsync(Alice, first.Key.Run, Lease, Stop);
        Assert.Equal(first.Attempt + 1, second!.Attempt);
        await Assert.ThrowsAsync<AppendRejectedException>(() => One.AppendAsync(first, new AgentCompleted()));
    }

    [Fact]
    public async Task A_run_with_a_lease_that_no_worker_executes_can_be_ended_but_not_taken_over()
    {
        await One.AppendAsync(new AgentStarted
        {
            Tenant = "default", User = "alice", Thread = "t-1", Run = "theirs", Agent = "theirs", Lease = 10,
        });
        var lease = await ReadLeaseAsync(new RunKey(Alice, "theirs"));

        Assert.Equal((0, TimeSpan.FromSeconds(10), null), (lease.Attempt, lease.Length, lease.Worker));
        Assert.Null(await One.Claims.TakeOverAsync(lease, Lease, Stop));
        Assert.True(await One.Claims.EndLostAsync(lease, FailureReasons.WorkerLost, "silent", Stop));
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

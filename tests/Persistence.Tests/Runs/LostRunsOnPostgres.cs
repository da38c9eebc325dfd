using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server: locks of others, and commits whose reply is lost.</summary>
public sealed class LostRunsOnPostgres() : LostRunsCompliance("postgres")
{
    [Fact]
    public async Task A_run_behind_a_locked_head_is_left_to_the_next_look()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var lease = await ReadLeaseAsync(claimed.Key);
        await using var locked = await Two.Database.LockStreamAsync(Alice, Stop);

        Assert.False(await One.Lost.RequeueAsync(lease, Stop));
        Assert.False(await One.Lost.EndAsync(lease, FailureReasons.WorkerLost, "gone", Stop));

        await locked.DisposeAsync();
        Assert.True(await One.Lost.RequeueAsync(lease, Stop));
    }

    [Fact]
    public async Task A_claim_whose_reply_was_lost_runs_again_though_its_agent_cannot_resume()
    {
        var created = await CreateRunAsync();
        await WithLostReplyAsync(process => process.Claims.ClaimAsync(Alice, created.Run, Lease, Stop));

        var lease = await ReadLeaseAsync(new RunKey(Alice, created.Run));
        Assert.Equal(1, lease.Attempt);
        Assert.True((lease with { CanResume = false }).MayRunAgain);
        Assert.True(await One.Lost.RequeueAsync(lease, Stop));
        Assert.Equal(2, (await Two.Claims.ClaimAsync(Alice, created.Run, Lease, Stop))!.Attempt);
    }

    [Fact]
    public async Task A_requeue_whose_reply_was_lost_is_done_and_not_done_again()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var lease = await ReadLeaseAsync(claimed.Key);
        await WithLostReplyAsync(process => process.Lost.RequeueAsync(lease, Stop));

        Assert.False(await One.Lost.RequeueAsync(lease, Stop));
        Assert.Equal(2, (await Two.Claims.ClaimAsync(Alice, claimed.Key.Run, Lease, Stop))!.Attempt);
    }

    [Fact]
    public async Task An_ending_whose_reply_was_lost_is_the_only_one()
    {
        var claimed = await CreateClaimedRunAsync(One);
        var lease = await ReadLeaseAsync(claimed.Key);
        await WithLostReplyAsync(process => process.Lost.EndAsync(lease, FailureReasons.WorkerLost, "gone", Stop));

        Assert.False(await One.Lost.EndAsync(lease, FailureReasons.WorkerLost, "gone", Stop));
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentFailed], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task A_release_whose_reply_was_lost_leaves_the_run_to_the_queue()
    {
        await using var proxy = new CommitCutter(ConnectionString);
        var created = await CreateRunAsync();
        var process = StartProcess(("Persistence:ConnectionString", proxy.ConnectionString));
        await QueryAsync(context => context.Runs.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Status, RunStatus.Running).SetProperty(row => row.Attempt, 1)
                .SetProperty(row => row.LeaseSeconds, 30).SetProperty(row => row.Worker, process.Identity.Id),
            Stop));

        await Assert.ThrowsAnyAsync<Exception>(() => process.Claims.ReleaseAsync(new RunKey(Alice, created.Run), 1, Stop));

        Assert.Equal(1, proxy.Cuts);
        Assert.Equal(2, (await Two.Claims.ClaimAsync(Alice, created.Run, Lease, Stop))!.Attempt);
    }

    [Fact]
    public async Task Expired_answers_that_someone_has_locked_are_passed_by()
    {
        await One.Runs.CreateAsync(new NewRun(Alice, "t-1", "hello", Agent: null, "k-1"), Stop);
        await One.Runs.CreateAsync(new NewRun(Bob, "t-1", "hello", Agent: null, "k-2"), Stop);
        await QueryAsync(context => context.Idempotency.ExecuteUpdateAsync(set => set.SetProperty(row => row.ExpiresAt, DateTime.UnixEpoch), Stop));
        await using var context = Two.Database.CreateContext();
        await using var transaction = await context.Database.BeginTransactionAsync(Stop);
        await context.Idempotency.Where(row => row.Key == "k-1").ExecuteUpdateAsync(set => set.SetProperty(row => row.Result, "{}"), Stop);

        var cleaner = new IdempotencyCleaner(One.Database, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<IdempotencyCleaner>.Instance);
        Assert.Equal(1, await cleaner.CleanAsync(Stop));
    }

    [Fact]
    public async Task A_locked_stream_appends_to_no_other()
    {
        await using var locked = await One.Database.LockStreamAsync(Alice, Stop);
        var foreign = One.Encoder.Encode(new AgentThinking { Tenant = "default", User = "bob", Thread = "t-1", Run = "r-1", Text = "hm" });
        await Assert.ThrowsAsync<ArgumentException>(() => locked.AppendAsync([foreign], Stop));
    }

    /// <summary>Does it in a process whose first COMMIT arrives and is not answered.</summary>
    private async Task WithLostReplyAsync(Func<TestProcess, Task> action)
    {
        await using var proxy = new CommitCutter(ConnectionString);
        var process = StartProcess(("Persistence:ConnectionString", proxy.ConnectionString));
        await Assert.ThrowsAnyAsync<Exception>(() => action(process));
        Assert.Equal(1, proxy.Cuts);
    }
}

using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence.Tests;

/// <summary>What SQLite has no locks for.</summary>
public sealed class RunClaimsOnPostgres() : RunClaimsCompliance("postgres")
{
    [Fact]
    public async Task A_claim_does_not_wait_behind_a_locked_head()
    {
        var stuck = await CreateRunAsync(Alice);
        var free = await CreateRunAsync(Bob);
        await using var locked = await Two.Database.LockStreamAsync(Alice, Stop);

        Assert.Null(await One.Claims.ClaimAsync(Alice, stuck.Run, Lease, Stop));
        Assert.NotNull(await One.Claims.ClaimAsync(Bob, free.Run, Lease, Stop));

        await locked.DisposeAsync();
        Assert.NotNull(await One.Claims.ClaimAsync(Alice, stuck.Run, Lease, Stop));
    }

    [Fact]
    public async Task A_run_whose_row_is_locked_costs_the_others_no_renewal()
    {
        var stuck = await CreateClaimedRunAsync(One);
        var free = await CreateClaimedRunAsync(One);
        var before = await ReadLeaseAsync(free.Key);
        await using var context = Two.Database.CreateContext();
        await using var transaction = await context.Database.BeginTransactionAsync(Stop);
        await context.Runs.Where(row => row.Run == stuck.Key.Run)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.LastSequence, row => row.LastSequence), Stop);

        var renewed = await One.Claims.RenewAsync([(stuck.Key, stuck.Attempt), (free.Key, free.Attempt)], Stop);

        Assert.Equal(2, renewed.Count);
        Assert.Equal(before.Counter + 1, (await ReadLeaseAsync(free.Key)).Counter);
    }
}

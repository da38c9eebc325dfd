using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence.Tests;

/// <summary>What is left when a process breaks off an append at its two worst places.</summary>
public abstract class FailpointCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task Broken_off_in_the_transaction_nothing_is_stored()
    {
        var broken = StartProcess(("Failpoints:in-transaction", "throw"));

        await Assert.ThrowsAsync<FailpointException>(() => broken.AppendAsync(Events.Thinking()));

        Assert.Equal(0, await QueryAsync(context => context.Events.CountAsync(Stop)));
        Assert.Equal(1, (await One.AppendAsync(Events.Thinking())).Events[0].Position);
    }

    [Fact]
    public async Task Broken_off_after_the_commit_the_outbox_row_remains()
    {
        var broken = StartProcess(("Failpoints:after-commit-before-publish", "throw"));

        await Assert.ThrowsAsync<FailpointException>(() => broken.AppendAsync(Events.Thinking()));

        Assert.False(broken.Handover.TryTake(out _));
        var id = Assert.Single(await broken.Outbox.ReadOwnIdsAsync(10, Stop));
        Assert.Equal(1, Assert.Single(Assert.Single(await broken.Outbox.ReadAsync([id], Stop)).Ranges).First);
    }
}

public sealed class FailpointsOnSqlite() : FailpointCompliance("sqlite");

public sealed class FailpointsOnPostgres() : FailpointCompliance("postgres");

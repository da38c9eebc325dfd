using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>The reserved stream, whatever the database.</summary>
public abstract class CanaryStreamCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task Its_events_are_appended_and_handed_over_like_any_other_and_make_no_run()
    {
        var id = Guid.CreateVersion7();

        Assert.Equal(1, await One.Get<CanaryStream>().AppendAsync(id, Stop));
        Assert.Equal(2, await Two.Get<CanaryStream>().AppendAsync(Guid.CreateVersion7(), Stop));

        var page = await One.Reader.ReadAsync(StreamKey.Canary, 0, 10, int.MaxValue, Stop);
        Assert.Equal([1, 2], page.Events.Select(e => e.Position));
        Assert.Contains($"\"{id}\"", System.Text.Encoding.UTF8.GetString(page.Events[0].Body.Span), StringComparison.Ordinal);
        Assert.True(One.Handover.TryTake(out var batch));
        Assert.Equal((StreamKey.Canary, "canary"), (batch.Ranges.Single().Stream, batch.Ranges[0].Events.Single().Type));
        Assert.Equal(2, await QueryAsync(context => context.Outbox.CountAsync(Stop)));
        Assert.Equal(0, await QueryAsync(context => context.Runs.CountAsync(Stop)));
    }

    [Fact]
    public async Task One_transaction_takes_them_and_users_events_together()
    {
        var canaries = Enumerable.Range(0, 10).Select(_ => One.Get<CanaryStream>().AppendAsync(Guid.CreateVersion7(), Stop)).ToList();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(i => One.AppendAsync(Events.Thinking(run: $"r-{i}"))));
        await Task.WhenAll(canaries);

        var heads = await One.Reader.ReadHeadsAsync([StreamKey.Canary, Alice], Stop);
        Assert.Equal((10, 10), (heads[StreamKey.Canary].Head, heads[Alice].Head));
        Assert.Equal(10, await QueryAsync(context => context.Runs.CountAsync(Stop)));
    }

    [Fact]
    public async Task What_a_lost_process_left_in_the_outbox_is_read_by_another()
    {
        One.StopRelay();
        await One.Get<CanaryStream>().AppendAsync(Guid.CreateVersion7(), Stop);
        await One.AppendAsync(Events.Thinking());

        var taken = await Two.Outbox.TakeUnownedAsync(new OutboxBound(10, long.MaxValue), Stop);

        Assert.Equal([StreamKey.Canary, Alice], taken.SelectMany(batch => batch.Ranges).Select(range => range.Stream));
    }

    [Fact]
    public async Task Only_the_newest_events_stay()
    {
        const int More = 40;
        var canary = One.Get<CanaryStream>();
        await canary.AppendAsync(Guid.CreateVersion7(), Stop);
        Assert.Equal(0, await canary.TrimAsync(Stop));
        await MoveHeadAsync(CanaryStream.Kept);
        for (var i = 0; i < More; i++)
        {
            await canary.AppendAsync(Guid.CreateVersion7(), Stop);
        }

        // All but the first of the kept ones are missing from this log: the first is what is removed here.
        Assert.Equal(1, await canary.TrimAsync(Stop));
        Assert.Equal(0, await canary.TrimAsync(Stop));

        var head = (await One.Reader.ReadHeadsAsync([StreamKey.Canary], Stop))[StreamKey.Canary];
        Assert.Equal((CanaryStream.Kept + More, (long)More), (head.Head, head.Trimmed));
        Assert.Equal(More, await QueryAsync(context => context.Events.CountAsync(Stop)));
    }

    [Fact]
    public async Task Trimming_takes_a_bounded_number_at_once_and_no_other_stream()
    {
        var canary = One.Get<CanaryStream>();
        await One.AppendAsync(Events.Thinking());
        await canary.AppendAsync(Guid.CreateVersion7(), Stop);
        await MoveHeadAsync(5_000);

        await canary.TrimAsync(Stop);

        var heads = await One.Reader.ReadHeadsAsync([StreamKey.Canary, Alice], Stop);
        Assert.Equal((1_000, 0), (heads[StreamKey.Canary].Trimmed, heads[Alice].Trimmed));
        Assert.Equal(1, await QueryAsync(context => context.Events.CountAsync(row => row.Stream == Alice.Value, Stop)));
    }

    [Fact]
    public async Task While_another_process_has_the_head_nobody_waits_to_trim()
    {
        await One.Get<CanaryStream>().AppendAsync(Guid.CreateVersion7(), Stop);
        await MoveHeadAsync(5_000);
        await using var locked = One.Database.IsSqlite ? null : await Two.Database.LockStreamAsync(StreamKey.Canary, Stop);
        using var pass = One.Database.IsSqlite ? One.Database.Gate.TryAcquire([StreamKey.Canary]) : null;

        Assert.Equal(0, await One.Get<CanaryStream>().TrimAsync(Stop));
    }

    [Fact]
    public void One_of_a_hundred_positions_has_its_node_trim() =>
        Assert.Equal(10, Enumerable.Range(1, 1_000).Count(position => CanaryStream.IsTrimDue(position)));

    private Task MoveHeadAsync(long head) => QueryAsync(context => context.Heads
        .Where(row => row.Stream == StreamKey.Canary.Value).ExecuteUpdateAsync(row => row.SetProperty(h => h.Head, head), Stop));
}

public sealed class CanaryStreamOnSqlite() : CanaryStreamCompliance("sqlite");

public sealed class CanaryStreamOnPostgres() : CanaryStreamCompliance("postgres");

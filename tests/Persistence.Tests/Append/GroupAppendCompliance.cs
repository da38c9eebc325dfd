using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>Group append, whatever the database.</summary>
public abstract class GroupAppendCompliance(string provider) : StoreSuite(provider)
{
    private GroupAppender Appender => One.Get<GroupAppender>();

    [Fact]
    public async Task Units_of_many_runs_and_users_are_stored_in_fewer_transactions()
    {
        const int Users = 10;
        const int Runs = 10;
        await Task.WhenAll(Enumerable.Range(0, Users).Select(user => AppendAsync(Events.Thinking().By($"u{user}"))));
        var before = await QueryAsync(context => context.Outbox.CountAsync(Stop));

        var units = Enumerable.Range(0, Users * Runs).Select(i => AppendAsync(
            Events.Started($"run-{i}").By($"u{i % Users}"), Events.Completed($"run-{i}").By($"u{i % Users}")));
        var results = await Task.WhenAll(units);

        // A stream has one unit in flight, so that it takes ten transactions at least; most of them are shared.
        Assert.All(results, result => Assert.Equal([1, 2], result.Events.Select(e => e.Sequence)));
        var transactions = await QueryAsync(context => context.Outbox.CountAsync(Stop)) - before;
        Assert.InRange(transactions, Runs, Users * Runs / 2);
        for (var user = 0; user < Users; user++)
        {
            var page = await One.Reader.ReadAsync(StreamKey.Of("default", $"u{user}"), 0, 1000, int.MaxValue, Stop);
            Assert.Equal(Enumerable.Range(1, 1 + (2 * Runs)).Select(i => (long)i), page.Events.Select(e => e.Position));
        }
    }

    [Fact]
    public async Task A_refused_unit_costs_only_itself()
    {
        await AppendAsync(Events.Thinking());
        var units = Enumerable.Range(0, 20).Select(i => AppendAsync(
            Events.Thinking(run: $"run-{i}"), Events.Thinking(run: $"run-{i}") with { Sequence = i % 5 == 0 ? 7 : 2 })).ToList();

        for (var i = 0; i < units.Count; i++)
        {
            if (i % 5 == 0)
            {
                Assert.Equal(1, (await Assert.ThrowsAsync<AppendRejectedException>(() => units[i])).Index);
            }
            else
            {
                Assert.Equal([1, 2], (await units[i]).Events.Select(e => e.Sequence));
            }
        }

        Assert.Equal(1 + (16 * 2), (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Head);
    }

    [Fact]
    public async Task Who_is_answered_finds_nothing_held()
    {
        for (var i = 0; i < 100; i++)
        {
            await AppendAsync(Events.Thinking());
            using var pass = One.Database.Gate.TryAcquire([Alice]);
            Assert.NotNull(pass);
        }
    }

    [Fact]
    public async Task What_was_stored_is_handed_over_once()
    {
        await AppendAsync(Events.Thinking());
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => AppendAsync(Events.Thinking(run: $"run-{i}"))));

        var positions = new List<long>();
        while (One.Handover.TryTake(out var batch))
        {
            positions.AddRange(batch.Ranges.SelectMany(range => range.Events.Select((_, index) => range.First + index)));
        }

        Assert.Equal(Enumerable.Range(1, 21).Select(i => (long)i), positions.Order());
    }

    [Fact]
    public async Task What_a_process_without_a_relay_commits_is_nobody_s_so_that_any_other_publishes_it()
    {
        One.StopRelay();

        await AppendAsync(Events.Thinking());

        Assert.False(One.Handover.TryTake(out _));
        Assert.Null((await QueryAsync(context => context.Outbox.SingleAsync(Stop))).Owner);
    }

    [Fact]
    public async Task Units_of_one_stream_keep_the_order_of_their_calls()
    {
        var units = new List<Task<AppendResult>>();
        await using (await One.Database.LockStreamAsync(Alice, Stop))
        {
            units.AddRange(Enumerable.Range(1, 20).Select(sequence => AppendAsync(Events.Thinking() with { Sequence = sequence })));
        }

        var results = await Task.WhenAll(units);

        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), results.Select(result => result.Events[0].Position));
    }

    [Fact]
    public async Task Disposal_waits_for_what_is_in_flight_and_refuses_the_rest()
    {
        var locked = await One.Database.LockStreamAsync(Alice, Stop);
        var unit = AppendAsync(Events.Thinking());
        var disposal = Appender.DisposeAsync();
        Assert.False(disposal.IsCompleted);

        await locked.DisposeAsync();
        await disposal;

        await unit;
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AppendAsync(Events.Thinking()));
    }

    protected Task<AppendResult> AppendAsync(params AgentEvent[] unit) => AppendAsync(One, unit);

    protected static async Task<AppendResult> AppendAsync(TestProcess process, params AgentEvent[] unit) =>
        await process.Log.AppendAsync([.. unit.Select(process.Encoder.Encode)], Stop);
}

public sealed class GroupAppendOnSqlite() : GroupAppendCompliance("sqlite");

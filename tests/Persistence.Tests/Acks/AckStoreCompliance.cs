using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class AckStoreOnSqlite() : AckStoreCompliance("sqlite");

public abstract class AckStoreCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task An_unknown_client_has_no_ack()
    {
        await WriteAsync(One, ("phone", 5));

        Assert.Null(await One.Acks.ReadAsync(Alice, "laptop", Stop));
        Assert.Null(await One.Acks.ReadAsync(Bob, "phone", Stop));
    }

    [Fact]
    public async Task Within_an_epoch_an_ack_only_moves_forward()
    {
        await WriteAsync(One, ("phone", 5));
        await WriteAsync(Two, ("phone", 3));
        Assert.Equal(await CursorAsync(5), await One.Acks.ReadAsync(Alice, "phone", Stop));

        await WriteAsync(Two, ("phone", 9));
        Assert.Equal(await CursorAsync(9), await One.Acks.ReadAsync(Alice, "phone", Stop));
    }

    [Fact]
    public async Task The_current_epoch_replaces_an_older_one_and_never_the_other_way_round()
    {
        var before = await CursorAsync(500);
        await WriteAsync(One, ("phone", 500));
        await One.Get<LogAdmin>().BeginEpochAsync(Stop);
        await WriteAsync(One, ("phone", 1));

        await Two.Acks.WriteAsync([new ClientAck(Alice, "phone", before), new ClientAck(Alice, "tv", before)], Stop);

        Assert.Equal(await CursorAsync(1), await One.Acks.ReadAsync(Alice, "phone", Stop));
        Assert.Null(await One.Acks.ReadAsync(Alice, "tv", Stop));
    }

    [Fact]
    public async Task An_ack_that_comes_late_brings_no_erased_user_back()
    {
        await One.AppendAsync(Events.Thinking());
        var before = await CursorAsync(1);
        await One.Get<LogAdmin>().EraseAsync(Alice, Stop);

        await Two.Acks.WriteAsync([new ClientAck(Alice, "phone", before)], Stop);

        Assert.Equal(0, await QueryAsync(context => context.Acks.CountAsync(Stop)));
    }

    [Fact]
    public async Task Many_acks_are_stored_at_once_and_of_one_clients_the_furthest()
    {
        var users = Enumerable.Range(0, 600).Select(i => StreamKey.Of("default", $"u{i}")).ToList();
        var heads = await One.Reader.ReadHeadsAsync(users, Stop);
        var acks = users.Select((user, i) => new ClientAck(user, "phone", new Cursor(Epoch.Of(heads[user].Generation, user, 1), i + 1)));
        await One.Acks.WriteAsync(
            [.. acks, await AckAsync("phone", 7), await AckAsync("phone", 9), await AckAsync("phone", 8), new ClientAck(Alice, "tv", Cursor.Oldest)],
            Stop);

        Assert.Equal(601, await QueryAsync(context => context.Acks.CountAsync(Stop)));
        Assert.Equal(600, (await One.Acks.ReadAsync(users[^1], "phone", Stop))!.Value.Position);
        Assert.Equal(await CursorAsync(9), await One.Acks.ReadAsync(Alice, "phone", Stop));
    }

    [Fact]
    public async Task Nodes_that_write_at_the_same_time_leave_the_furthest()
    {
        await Task.WhenAll(Enumerable.Range(1, 40).Select(i => Task.Run(
            () => WriteAsync(i % 2 == 0 ? One : Two, ("phone", i), ("tv", 41 - i)), Stop)));

        Assert.Equal(await CursorAsync(40), await One.Acks.ReadAsync(Alice, "phone", Stop));
        Assert.Equal(await CursorAsync(40), await One.Acks.ReadAsync(Alice, "tv", Stop));
    }

    [Fact]
    public async Task A_user_keeps_so_many_clients_and_the_longest_unused_goes()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var acks = new AckStore(One.Database, time);
        for (var i = 0; i < AckStore.MaxClients + 2; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await acks.WriteAsync([await AckAsync("first", i + 1), await AckAsync($"c{i}", 1)], Stop);
        }

        Assert.Equal(AckStore.MaxClients, await QueryAsync(context => context.Acks.CountAsync(Stop)));
        Assert.NotNull(await acks.ReadAsync(Alice, "first", Stop));
        Assert.Null(await acks.ReadAsync(Alice, "c2", Stop));
        Assert.NotNull(await acks.ReadAsync(Alice, "c3", Stop));
    }

    [Fact]
    public async Task What_is_undelivered_is_the_head_less_the_ack()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var acks = new AckStore(One.Database, time);
        await One.Log.AppendAsync([.. Enumerable.Range(0, 5).Select(_ => One.Encoder.Encode(Events.Thinking()))], Stop);
        await One.AppendAsync(Events.Thinking().By("bob"));
        await acks.WriteAsync([await AckAsync("phone", 2), await AckAsync("tv", 5), await AckAsync("watch", 1)], Stop);
        time.Advance(TimeSpan.FromMinutes(3));

        var most = await acks.ReadUndeliveredAsync(null, 2, Stop);
        Assert.Equal([("watch", 4L), ("phone", 3L)], most.Select(client => (client.Client, client.Events)));
        Assert.Equal((Alice, 5L, 1L, TimeSpan.FromMinutes(3), true), (most[0].Stream, most[0].Head, most[0].Acked, most[0].Age, most[0].IsCurrent));
        Assert.Equal(["watch", "phone", "tv"], (await acks.ReadUndeliveredAsync(Alice, 10, Stop)).Select(client => client.Client));
        Assert.Empty(await acks.ReadUndeliveredAsync(Bob, 10, Stop));

        await One.Get<LogAdmin>().BeginEpochAsync(Stop);
        Assert.All(await acks.ReadUndeliveredAsync(Alice, 10, Stop), client => Assert.Equal((false, 5L), (client.IsCurrent, client.Events)));
    }

    protected async Task<ClientAck> AckAsync(string client, long position) => new(Alice, client, await CursorAsync(position));

    protected async Task<Cursor> CursorAsync(long position)
    {
        var head = (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice];
        return new Cursor(Epoch.Of(head.Generation, Alice, head.Incarnation), position);
    }

    private async Task WriteAsync(TestProcess process, params (string Client, long Position)[] acks)
    {
        var epoch = (await CursorAsync(0)).Epoch;
        await process.Acks.WriteAsync([.. acks.Select(ack => new ClientAck(Alice, ack.Client, new Cursor(epoch, ack.Position)))], Stop);
    }
}

public sealed class AckStoreOnPostgres() : AckStoreCompliance("postgres")
{
    [Fact]
    public async Task Nodes_with_more_clients_than_are_kept_never_wait_for_each_other_in_a_circle()
    {
        var epoch = (await CursorAsync(0)).Epoch;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(
            async () =>
            {
                for (var i = 1; i <= 25; i++)
                {
                    var clients = Enumerable.Range(0, 50).Select(c => new ClientAck(Alice, $"c{(writer * 7 + c) % 60:00}", new Cursor(epoch, i)));
                    await (writer % 2 == 0 ? One : Two).Acks.WriteAsync([.. clients], Stop);
                }
            },
            Stop)));

        Assert.InRange(await QueryAsync(context => context.Acks.CountAsync(Stop)), 1, AckStore.MaxClients);
    }

    [Fact]
    public async Task Acks_wait_while_an_erasure_commits_and_then_see_the_new_incarnation()
    {
        await One.AppendAsync(Events.Thinking());
        var late = await AckAsync("phone", 1);
        Task writing;
        await using (var erasing = await One.Database.LockStreamAsync(Alice, Stop))
        {
            await AckStore.EraseAsync(erasing.Context, Alice, Stop);
            writing = Two.Acks.WriteAsync([late], Stop);
            await Pipeline.Testing.Eventually.HoldsAsync("the ack waits", async () => await QueryAsync(context => context.Database.SqlQueryRaw<int>(
                "select count(*)::int as \"Value\" from pg_stat_activity where datname = current_database() and wait_event = 'advisory'").SingleAsync(Stop)) == 1);
            await erasing.Context.Heads.Where(row => row.Stream == Alice.Value)
                .ExecuteUpdateAsync(row => row.SetProperty(head => head.Incarnation, 2), Stop);
            await erasing.CommitAsync(Stop);
        }

        await writing;
        Assert.Equal(0, await QueryAsync(context => context.Acks.CountAsync(Stop)));
    }
}

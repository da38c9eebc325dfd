using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class AckStoreOnPostgres() : AckStoreCompliance("postgres");

public sealed class AckStoreOnSqlite() : AckStoreCompliance("sqlite");

public abstract class AckStoreCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task An_unknown_client_has_no_ack()
    {
        await One.Acks.WriteAsync([Ack("phone", "epoch1", 5)], Stop);

        Assert.Null(await One.Acks.ReadAsync(Alice, "laptop", Stop));
        Assert.Null(await One.Acks.ReadAsync(Bob, "phone", Stop));
    }

    [Fact]
    public async Task Within_an_epoch_an_ack_only_moves_forward()
    {
        await One.Acks.WriteAsync([Ack("phone", "epoch1", 5)], Stop);
        await Two.Acks.WriteAsync([Ack("phone", "epoch1", 3)], Stop);
        Assert.Equal(new Cursor("epoch1", 5), await One.Acks.ReadAsync(Alice, "phone", Stop));

        await Two.Acks.WriteAsync([Ack("phone", "epoch1", 9)], Stop);
        Assert.Equal(new Cursor("epoch1", 9), await One.Acks.ReadAsync(Alice, "phone", Stop));
    }

    [Fact]
    public async Task Another_epoch_replaces_the_ack()
    {
        await One.Acks.WriteAsync([Ack("phone", "epoch1", 500)], Stop);
        await One.Acks.WriteAsync([Ack("phone", "epoch2", 1)], Stop);

        Assert.Equal(new Cursor("epoch2", 1), await One.Acks.ReadAsync(Alice, "phone", Stop));
    }

    [Fact]
    public async Task Many_acks_are_stored_at_once_and_of_one_clients_the_furthest()
    {
        var acks = Enumerable.Range(0, 600).Select(i => new ClientAck(StreamKey.Of("default", $"u{i}"), "phone", new Cursor("epoch1", i + 1)));
        await One.Acks.WriteAsync(
            [.. acks, Ack("phone", "epoch1", 7), Ack("phone", "epoch1", 9), Ack("phone", "epoch1", 8), Ack("tv", null, 0)], Stop);

        Assert.Equal(601, await QueryAsync(context => context.Acks.CountAsync(Stop)));
        Assert.Equal(new Cursor("epoch1", 600), await One.Acks.ReadAsync(StreamKey.Of("default", "u599"), "phone", Stop));
        Assert.Equal(new Cursor("epoch1", 9), await One.Acks.ReadAsync(Alice, "phone", Stop));
    }

    [Fact]
    public async Task Nodes_that_write_at_the_same_time_leave_the_furthest()
    {
        await Task.WhenAll(Enumerable.Range(1, 40).Select(i => Task.Run(
            () => (i % 2 == 0 ? One : Two).Acks.WriteAsync([Ack("phone", "epoch1", i), Ack("tv", "epoch1", 41 - i)], Stop), Stop)));

        Assert.Equal(new Cursor("epoch1", 40), await One.Acks.ReadAsync(Alice, "phone", Stop));
        Assert.Equal(new Cursor("epoch1", 40), await One.Acks.ReadAsync(Alice, "tv", Stop));
    }

    [Fact]
    public async Task A_user_keeps_so_many_clients_and_the_longest_unused_goes()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var acks = new AckStore(One.Database, time);
        for (var i = 0; i < AckStore.MaxClients + 2; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await acks.WriteAsync([Ack("first", "epoch1", i + 1), Ack($"c{i}", "epoch1", 1)], Stop);
        }

        Assert.Equal(AckStore.MaxClients, await QueryAsync(context => context.Acks.CountAsync(Stop)));
        Assert.NotNull(await acks.ReadAsync(Alice, "first", Stop));
        Assert.Null(await acks.ReadAsync(Alice, "c2", Stop));
        Assert.NotNull(await acks.ReadAsync(Alice, "c3", Stop));
    }

    private static ClientAck Ack(string client, string? epoch, long position) => new(Alice, client, new Cursor(epoch, position));
}

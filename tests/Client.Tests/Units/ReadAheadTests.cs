using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

public sealed class ReadAheadTests
{
    [Fact]
    public async Task A_writer_waits_while_as_many_items_wait_as_may()
    {
        using var ahead = new ReadAhead(mostItems: 2, mostBytes: 1_000);
        await WriteAsync(ahead, 1);
        await WriteAsync(ahead, 2);
        var third = WriteAsync(ahead, 3);
        Assert.False(third.IsCompleted);

        Assert.Equal(1, await ReadAsync(ahead));
        await third;
        Assert.Equal(2, await ReadAsync(ahead));
        Assert.Equal(3, await ReadAsync(ahead));
    }

    [Fact]
    public async Task A_writer_waits_while_as_many_bytes_wait_as_may_but_one_item_always_has_room()
    {
        using var ahead = new ReadAhead(mostItems: 100, mostBytes: 10);
        await WriteAsync(ahead, 1, bytes: 5_000);
        var second = WriteAsync(ahead, 2, bytes: 1);
        Assert.False(second.IsCompleted);
        Assert.Equal(1, await ReadAsync(ahead));
        await second;
    }

    [Fact]
    public async Task What_waits_is_read_before_the_reason_of_the_end()
    {
        using var ahead = new ReadAhead(mostItems: 10, mostBytes: 1_000);
        await WriteAsync(ahead, 1);
        ahead.Complete(new AgentEventsClosedException(ClosedReasons.Refused, "no"));
        Assert.Equal(1, await ReadAsync(ahead));
        await Assert.ThrowsAsync<AgentEventsClosedException>(() => ReadAsync(ahead));
    }

    [Fact]
    public async Task A_reader_that_is_to_stop_gets_nothing_more_though_it_waits()
    {
        using var ahead = new ReadAhead(mostItems: 10, mostBytes: 1_000);
        await WriteAsync(ahead, 1);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ahead.ReadAsync(new CancellationToken(canceled: true)).AsTask());
    }

    private static Task WriteAsync(ReadAhead ahead, int position, int bytes = 0) =>
        ahead.WriteAsync(new ReadItem(new Cursor(Frames.Epoch, position)) { Bytes = bytes }, TestContext.Current.CancellationToken).AsTask();

    private static async Task<long> ReadAsync(ReadAhead ahead) =>
        (await ahead.ReadAsync(TestContext.Current.CancellationToken)).Cursor.Position;
}

using System.Text;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What a reader of the log sees, whatever the database.</summary>
public abstract class LogReaderCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task A_stream_nobody_wrote_to_is_empty()
    {
        var page = await One.Reader.ReadAsync(Alice, 0, 10, 1000, Stop);
        var heads = await One.Reader.ReadHeadsAsync([Alice, Bob], Stop);

        Assert.Empty(page.Events);
        Assert.Equal((1L, 0L, 0L), (page.Head.Incarnation, page.Head.Head, page.Head.Trimmed));
        Assert.True(page.Head.Generation > 1_600_000_000_000);
        Assert.Equal([page.Head, page.Head], heads.Values);
    }

    [Fact]
    public async Task Pages_are_bounded_by_number_and_contiguous()
    {
        await AppendAsync(10);

        var first = await One.Reader.ReadAsync(Alice, 0, 4, int.MaxValue, Stop);
        var second = await One.Reader.ReadAsync(Alice, first.Events[^1].Position, 100, int.MaxValue, Stop);

        Assert.Equal([1, 2, 3, 4], first.Events.Select(e => e.Position));
        Assert.Equal(4, first.Scanned);
        Assert.Equal([5, 6, 7, 8, 9, 10], second.Events.Select(e => e.Position));
        Assert.Equal(10, second.Head.Head);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2_500, 2)]
    [InlineData(100_000, 10)]
    public async Task Pages_are_bounded_by_bytes_and_hold_one_event_at_least(int maxBytes, int count)
    {
        await AppendAsync(10, new string('x', 1_000));

        var page = await One.Reader.ReadAsync(Alice, 0, 100, maxBytes, Stop);

        Assert.Equal(count, page.Events.Count);
        Assert.Equal(count, page.Scanned);
    }

    [Fact]
    public async Task A_large_body_ends_the_page_before_it_and_comes_alone()
    {
        await AppendAsync(3);
        await AppendAsync(2, new string('x', 100_000));
        await AppendAsync(2);

        var (whole, thread, after) = (new List<long[]>(), new List<long[]>(), 0L);
        while (after < 7)
        {
            var page = await One.Reader.ReadAsync(Alice, after, 100, int.MaxValue, Stop);
            var same = await One.Reader.ReadThreadAsync(Alice, "t-1", after, 100, int.MaxValue, Stop);
            whole.Add([.. page.Events.Select(e => e.Position)]);
            thread.Add([.. same.Events.Select(e => e.Position)]);
            Assert.Equal(page.Events[^1].Position, page.Scanned);
            Assert.Equal(page.Scanned, same.Scanned);
            after = page.Scanned;
        }

        Assert.Equal([[1, 2, 3], [4], [5], [6, 7]], whole);
        Assert.Equal(whole, thread);
    }

    [Fact]
    public async Task Bodies_are_counted_in_bytes_not_in_characters()
    {
        for (var i = 0; i < 4; i++)
        {
            var envelope = new EventEnvelope
            {
                Id = Guid.CreateVersion7(), Type = "custom", Tenant = "default", User = "alice", Thread = "t-1", Run = "r-1",
                Sequence = 0, Time = null, Position = 0,
            };
            var data = Encoding.UTF8.GetBytes($$"""{"text":"{{new string('é', 1_000)}}"}""");
            await One.Log.AppendAsync([One.Encoder.Encode(envelope, data)], Stop);
        }

        var page = await One.Reader.ReadAsync(Alice, 0, 100, 5_000, Stop);

        Assert.Equal(2, page.Events.Count);
    }

    [Fact]
    public async Task Whatever_the_bound_in_bytes_paging_loses_nothing_of_a_thread()
    {
        for (var i = 0; i < 12; i++)
        {
            await AppendAsync(1, new string('x', i % 3 * 700));
            await One.AppendAsync(Events.Thinking(run: "r-2") with { Thread = "t-2" });
        }

        var bodies = (await One.Reader.ReadAsync(Alice, 0, 100, int.MaxValue, Stop)).Events.Select(e => e.Body.Length).Distinct();
        foreach (var bound in bodies.SelectMany(length => new[] { length - 5, length - 4, length - 1, length, length + 1, 2 * length, 3 * length }))
        {
            var (found, after) = (new List<long>(), 0L);
            while (after < 24)
            {
                var page = await One.Reader.ReadThreadAsync(Alice, "t-1", after, 100, bound, Stop);
                Assert.True(page.Events.Count == 1 || page.Events.Sum(e => e.Body.Length) <= bound);
                found.AddRange(page.Events.Select(e => e.Position));
                after = page.Scanned;
            }

            Assert.Equal(Enumerable.Range(0, 12).Select(i => 2L * i + 1), found);
        }
    }

    [Fact]
    public async Task Behind_the_head_there_is_nothing_and_the_future_is_left_to_the_caller()
    {
        await AppendAsync(2);

        Assert.Equal((0, 2L), Shape(await One.Reader.ReadAsync(Alice, 2, 10, 1000, Stop)));
        Assert.Equal((0, 99L), Shape(await One.Reader.ReadAsync(Alice, 99, 10, 1000, Stop)));
        Assert.Equal((0, 99L), Shape(await One.Reader.ReadThreadAsync(Alice, "t-1", 99, 10, 1000, Stop)));
        Assert.Empty((await One.Reader.ReadAsync(Alice, long.MaxValue, 10, 1000, Stop)).Events);
        Assert.Empty((await One.Reader.ReadThreadAsync(Alice, "t-1", long.MaxValue, 10, 1000, Stop)).Events);
    }

    [Fact]
    public async Task A_thread_is_read_alone_and_says_how_far_it_looked()
    {
        await AppendAsync(3);
        await One.AppendAsync(Events.Thinking(run: "r-2") with { Thread = "t-2" });
        await AppendAsync(2);

        var page = await One.Reader.ReadThreadAsync(Alice, "t-1", 0, 100, int.MaxValue, Stop);
        Assert.Equal([1, 2, 3, 5, 6], page.Events.Select(e => e.Position));
        Assert.Equal((1, 6L), Shape(await One.Reader.ReadThreadAsync(Alice, "t-2", 0, 100, int.MaxValue, Stop)));
        Assert.Equal((1, 4L), Shape(await One.Reader.ReadThreadAsync(Alice, "t-2", 0, 1, int.MaxValue, Stop)));
        Assert.Equal((0, 6L), Shape(await One.Reader.ReadThreadAsync(Alice, "t-3", 0, 100, int.MaxValue, Stop)));
    }

    [Fact]
    public async Task A_thread_far_ahead_is_found_by_going_on_from_what_was_scanned()
    {
        for (var i = 0; i < 6; i++)
        {
            await AppendAsync(1_000);
        }

        await One.AppendAsync(Events.Thinking(run: "r-2") with { Thread = "t-2" });

        var first = await One.Reader.ReadThreadAsync(Alice, "t-2", 0, 10, int.MaxValue, Stop);
        var second = await One.Reader.ReadThreadAsync(Alice, "t-2", first.Scanned, 10, int.MaxValue, Stop);

        Assert.Equal((0, 5_000L), Shape(first));
        Assert.Equal((1, 6_001L), Shape(second));
    }

    private static (int Events, long Scanned) Shape(LogPage page) => (page.Events.Count, page.Scanned);

    private Task AppendAsync(int count, string text = "hm") => One.Log.AppendAsync(
        [.. Enumerable.Range(0, count).Select(_ => One.Encoder.Encode(Events.Thinking(text)))], Stop);
}

public sealed class LogReaderOnSqlite() : LogReaderCompliance("sqlite");

public sealed class LogReaderOnPostgres() : LogReaderCompliance("postgres");

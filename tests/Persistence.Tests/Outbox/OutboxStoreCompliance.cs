using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class OutboxStoreOnPostgres() : OutboxStoreCompliance("postgres");

public sealed class OutboxStoreOnSqlite() : OutboxStoreCompliance("sqlite");

public abstract class OutboxStoreCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task A_row_leads_to_the_bodies_of_its_events()
    {
        await ThinkAsync("one");
        await ThinkAsync("two");

        var batches = await One.Outbox.ReadAsync(await One.Outbox.ReadOwnIdsAsync(10, Stop), Stop);

        Assert.Equal([1L, 2L], batches.Select(batch => Assert.Single(batch.Ranges).First));
        var (range, generation) = (batches[1].Ranges[0], batches[1].Generation);
        var row = await QueryAsync(context => context.Events.SingleAsync(row => row.Position == 2, Stop));
        Assert.Equal((Alice, 1L), (range.Stream, range.Incarnation));
        Assert.Equal((row.Type, row.Body), (range.Events[0].Type, Encoding.UTF8.GetString(range.Events[0].Body.Span)));
        Assert.Equal(await QueryAsync(context => context.Generations.Select(g => g.Generation).SingleAsync(Stop)), generation);
    }

    [Fact]
    public async Task Deleted_rows_are_gone_and_deleting_them_again_is_no_error()
    {
        await ThinkAsync("one");
        var ids = await One.Outbox.ReadOwnIdsAsync(10, Stop);

        await One.Outbox.DeleteAsync(ids, Stop);
        await One.Outbox.DeleteAsync(ids, Stop);

        Assert.Empty(await One.Outbox.ReadOwnIdsAsync(10, Stop));
        Assert.Empty(await One.Outbox.ReadAsync(ids, Stop));
    }

    [Fact]
    public async Task Own_rows_are_listed_oldest_first_up_to_the_limit()
    {
        var ids = await AddRowsAsync(5, One.Identity.Id);
        await AddRowsAsync(1, Two.Identity.Id);

        Assert.Equal(ids[..3], await One.Outbox.ReadOwnIdsAsync(3, Stop));
        Assert.Equal(ids, await One.Outbox.ReadOwnIdsAsync(10, Stop));
    }

    [Fact]
    public async Task Rows_of_another_owner_or_another_generation_stay_whatever_their_ids()
    {
        var ids = await AddRowsAsync(1, One.Identity.Id);
        var others = await AddRowsAsync(1, Two.Identity.Id);
        var generation = await One.Outbox.ReadGenerationAsync(Stop);

        await One.Outbox.DeleteAsync(generation - 1, ids, Stop);
        await One.Outbox.DeleteAsync(generation, others, Stop);

        Assert.Equal(ids, await One.Outbox.ReadOwnIdsAsync(10, Stop));
        Assert.Equal(others, await Two.Outbox.ReadOwnIdsAsync(10, Stop));
        await One.Outbox.DeleteAsync(generation, ids, Stop);
        Assert.Empty(await One.Outbox.ReadOwnIdsAsync(10, Stop));
    }

    [Fact]
    public async Task Own_rows_are_read_on_from_an_id()
    {
        var ids = await AddRowsAsync(5, One.Identity.Id);

        Assert.Equal(ids[2..4], await One.Outbox.ReadOwnIdsAsync(ids[1], 2, Stop));
    }

    [Fact]
    public async Task A_row_without_an_owner_is_taken_by_one_process()
    {
        var ids = await AddRowsAsync(40, owner: null);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => TakeAsync(i % 2 == 0 ? One : Two), Stop)));
        while (await TakeAsync(One) is { Ids.Length: > 0 } rest)
        {
            answers = [.. answers, rest];
        }

        long[] Taken(TestProcess process) =>
            [.. answers.Where(answer => answer.By == process).SelectMany(answer => answer.Ids).Distinct().Order()];
        Assert.All(answers, answer => Assert.True(answer.Ids.Length <= 7));
        Assert.Equal(Taken(One), await One.Outbox.ReadOwnIdsAsync(100, Stop));
        Assert.Equal(Taken(Two), await Two.Outbox.ReadOwnIdsAsync(100, Stop));
        Assert.Equal(ids, Taken(One).Concat(Taken(Two)).Order());

        async Task<(TestProcess By, long[] Ids)> TakeAsync(TestProcess process) =>
            (process, [.. (await process.Outbox.TakeUnownedAsync(OutboxReading.Rows(7), Stop)).Select(batch => batch.OutboxId)]);
    }

    [Fact]
    public async Task Rows_of_an_expired_or_unknown_owner_are_taken_and_those_of_a_living_one_are_not()
    {
        var (expired, unknown) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await AddProcessAsync(expired);
        await AddProcessAsync(Two.Identity.Id);
        var abandoned = (long[])[.. await AddRowsAsync(2, expired), .. await AddRowsAsync(2, unknown)];
        await AddRowsAsync(2, Two.Identity.Id);
        await AddRowsAsync(2, One.Identity.Id);
        await AddRowsAsync(2, owner: null);

        var first = await One.Outbox.TakeAbandonedAsync([expired], OutboxReading.Rows(3), Stop);
        var second = await One.Outbox.TakeAbandonedAsync([expired], OutboxReading.Rows(3), Stop);

        Assert.Equal(abandoned, first.Concat(second).Select(batch => batch.OutboxId));
        Assert.Empty(await One.Outbox.TakeAbandonedAsync([expired, One.Identity.Id], OutboxReading.Rows(3), Stop));
        Assert.Equal(2, (await Two.Outbox.ReadOwnIdsAsync(10, Stop)).Count);
    }

    [Fact]
    public async Task A_command_is_read_as_it_was_committed()
    {
        var created = await CreateRunAsync();
        await QueryAsync(context => context.Outbox.ExecuteUpdateAsync(set => set.SetProperty(row => row.Owner, (Guid?)null), Stop));

        var command = Assert.Single(await Two.Outbox.TakeUnownedAsync(OutboxReading.Rows(10), Stop), batch => batch.Command is not null);
        Assert.Empty(command.Ranges);
        Assert.Equal(created.Run, JsonSerializer.Deserialize<StartRun>(command.Command!.Message, AgentEventJson.Full)!.Run);
    }

    [Fact]
    public async Task What_retention_removed_is_left_out()
    {
        for (var i = 0; i < 4; i++)
        {
            await ThinkAsync("x");
        }

        var ids = await AddRowsAsync(1, owner: null, Payload((Alice, 1, 2), (Alice, 2, 4)));
        var gone = await AddRowsAsync(1, owner: null, Payload((Alice, 1, 2)));
        await QueryAsync(context => context.Events.Where(row => row.Position <= 2).ExecuteDeleteAsync(Stop));

        var batches = await One.Outbox.TakeUnownedAsync(OutboxReading.Rows(10), Stop);
        Assert.Equal([ids[0], gone[0]], batches.Select(batch => batch.OutboxId));
        var range = Assert.Single(batches[0].Ranges);
        Assert.Equal((3, 2), (range.First, range.Events.Count));
        Assert.Empty(batches[1].Ranges);
    }

    [Fact]
    public async Task One_row_may_point_at_several_streams()
    {
        await ThinkAsync("a");
        await ThinkAsync("b", "bob");
        await AddRowsAsync(1, owner: null, Payload((Alice, 1, 1), (Bob, 1, 1)));

        var batch = Assert.Single(await One.Outbox.TakeUnownedAsync(OutboxReading.Rows(10), Stop));
        Assert.Equal([Alice, Bob], batch.Ranges.Select(range => range.Stream));
    }

    [Fact]
    public async Task Large_bodies_are_read_a_bounded_number_of_bytes_at_a_time()
    {
        for (var i = 0; i < 5; i++)
        {
            await ThinkAsync(new string('x', 250_000));
        }

        var ids = await AddRowsAsync(20, owner: null, Payload((Alice, 1, 5)));
        var first = await One.Outbox.TakeUnownedAsync(OutboxReading.Rows(20), Stop);

        Assert.InRange(first.Sum(batch => batch.Bytes), 1, 18_000_000);
        Assert.Equal(ids[..first.Count], first.Select(batch => batch.OutboxId));
        Assert.All(first, batch => Assert.Equal(5, batch.Ranges[0].Events.Count));
        Assert.Equal(ids[..first.Count], await One.Outbox.ReadOwnIdsAsync(ids[0] - 1, 100, Stop));
        Assert.NotEmpty(await One.Outbox.ReadAsync(ids[first.Count..], Stop));
        Assert.Single(await One.Outbox.TakeUnownedAsync(new OutboxBound(Rows: 10, Bytes: 1), Stop));
    }

    private Task ThinkAsync(string text, string user = "alice") => One.AppendAsync(
        new AgentThinking { Tenant = "default", User = user, Thread = "t-1", Run = "r-1", Text = text });

    private Task<int> AddProcessAsync(Guid id) => QueryAsync(context =>
    {
        context.Processes.Add(new ProcessRow { Id = id, Counter = 1, Host = "test", Role = "test" });
        return context.SaveChangesAsync(Stop);
    });

    private Task<long[]> AddRowsAsync(int count, Guid? owner, string payload = "[]") => QueryAsync(async context =>
    {
        var rows = Enumerable.Range(0, count)
            .Select(_ => new OutboxRow { Owner = owner, Kind = OutboxKind.Events, Payload = payload, CreatedAt = DateTime.UnixEpoch }).ToList();
        context.Outbox.AddRange(rows);
        await context.SaveChangesAsync(Stop);
        return rows.Select(row => row.Id).Order().ToArray();
    });

    private static string Payload(params (StreamKey Stream, long First, long Last)[] ranges) =>
        JsonSerializer.Serialize(ranges.Select(range => new { stream = range.Stream.Value, first = range.First, last = range.Last }));
}

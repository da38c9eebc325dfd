using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What an append does, whatever the database.</summary>
public abstract class AppendCompliance(string provider) : StoreSuite(provider)
{
    [Fact]
    public async Task Positions_of_a_stream_have_no_gap_and_streams_do_not_share_them()
    {
        var first = await AppendAsync(Events.Thinking(), Events.Thinking(), Events.Thinking().By("bob"));
        var second = await AppendAsync(Events.Thinking(), Events.Thinking().By("bob"));

        Assert.Equal([1, 2, 1], first.Events.Select(e => e.Position));
        Assert.Equal([3, 2], second.Events.Select(e => e.Position));
        Assert.Equal([1, 2, 3], (await ReadAsync()).Select(e => e.Position));
    }

    [Fact]
    public async Task Times_that_jump_back_change_no_order()
    {
        var noon = new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
        await AppendAsync(Events.Thinking("first") with { Time = noon });
        await AppendAsync(Events.Thinking("second") with { Time = noon.AddYears(1) }, Events.Thinking("third") with { Time = noon.AddYears(-1) });
        await AppendAsync(Events.Thinking("fourth") with { Time = noon });

        Assert.Equal(
            ["first", "second", "third", "fourth"],
            (await ReadAsync()).Select(e => e.Json().GetProperty("data").GetProperty("text").GetString()));
    }

    [Fact]
    public async Task A_run_is_numbered_by_the_log_and_the_number_is_in_the_body_that_is_stored_and_handed_over()
    {
        var result = await AppendAsync(Events.Started(), Events.Thinking(), Events.Thinking(run: "r-2"));

        Assert.Equal([1, 2, 1], result.Events.Select(e => e.Sequence));
        var stored = await ReadAsync();
        Assert.Equal([1, 2, 1], stored.Select(e => e.Json().GetProperty("sequence").GetInt64()));
        Assert.True(One.Handover.TryTake(out var batch));
        var range = Assert.Single(batch.Ranges);
        Assert.Equal((Alice, 1L, 1L), (range.Stream, range.First, range.Incarnation));
        Assert.Equal(stored.Select(e => e.Text()), range.Events.Select(e => new LogEvent(0, e.Body).Text()));
        Assert.Equal([EventTypes.AgentStarted, EventTypes.AgentThinking, EventTypes.AgentThinking], range.Events.Select(e => e.Type));
    }

    [Fact]
    public async Task Data_comes_back_byte_by_byte()
    {
        const string Data = """{ "b":1,  "a":"\u0000 é \uD800" , "n":1.50e+1,"b":2 }""";
        var envelope = new EventEnvelope
        {
            Id = Guid.CreateVersion7(), Type = "custom \"type\"", Tenant = "default", User = "alice", Thread = "t-é", Run = "r-1",
            Sequence = 1, Time = DateTimeOffset.Parse("2026-11-23T05:08:00.1239+02:00", null), Position = 0,
        };
        var encoded = One.Encoder.Encode(envelope, System.Text.Encoding.UTF8.GetBytes(Data));

        await One.Log.AppendAsync([encoded], Stop);

        Assert.Equal(
            $$"""{"id":"{{envelope.Id}}","type":"custom \"type\"","time":"2026-11-23T03:08:00.123Z","thread":"t-é","run":"r-1","sequence":1,"data":{{Data}}}""",
            Assert.Single(await ReadAsync()).Text());
    }

    [Fact]
    public async Task A_NUL_in_text_survives_the_number_that_the_log_puts_in_front()
    {
        await AppendAsync(Events.Thinking("a\0b"));

        Assert.Equal("a\0b", Assert.Single(await ReadAsync()).Json().GetProperty("data").GetProperty("text").GetString());
    }

    [Fact]
    public async Task Two_processes_that_write_at_the_same_time_share_the_positions()
    {
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => (i % 2 == 0 ? One : Two).AppendAsync(Events.Thinking()), Stop)));

        Assert.Equal(Enumerable.Range(1, 40).Select(i => (long)i), (await ReadAsync()).Select(e => e.Position));
    }

    [Fact]
    public async Task A_repeated_event_keeps_its_first_position_and_stores_nothing()
    {
        var started = Events.Started();
        var first = await AppendAsync(started, Events.Thinking());
        Assert.True(One.Handover.TryTake(out _));

        var again = await AppendAsync(started);

        Assert.Equal(first.Events[0] with { Duplicate = true }, Assert.Single(again.Events));
        Assert.False(One.Handover.TryTake(out _));
        Assert.Equal(1, await QueryAsync(context => context.Outbox.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_repeated_event_counts_neither_for_positions_nor_for_sequences()
    {
        var started = Events.Started();
        await AppendAsync(started);

        var mixed = await AppendAsync(started, Events.Thinking() with { Sequence = 2 }, Events.Thinking());

        Assert.Equal([(1, 1, true), (2, 2, false), (3, 3, false)], mixed.Events.Select(e => ((int)e.Position, (int)e.Sequence, e.Duplicate)));
    }

    [Fact]
    public async Task Ids_come_before_fences_so_the_retry_of_an_ending_succeeds()
    {
        var ending = Events.Completed();
        await AppendAsync(Events.Started(), ending);

        Assert.True(Assert.Single((await AppendAsync(ending)).Events).Duplicate);
    }

    [Fact]
    public async Task The_same_id_with_other_content_is_a_conflict()
    {
        var thought = Events.Thinking("one");
        await AppendAsync(thought);

        var refused = await RefusedAsync(Events.Thinking(), thought with { Text = "two" });

        Assert.Equal((AppendRejection.IdConflict, 1), (refused.Reason, refused.Index));
        Assert.Single(await ReadAsync());
    }

    [Fact]
    public async Task The_same_id_in_another_stream_is_another_event()
    {
        var thought = Events.Thinking();
        await AppendAsync(thought);

        Assert.False(Assert.Single((await AppendAsync(thought.By("bob"))).Events).Duplicate);
    }

    [Fact]
    public async Task An_id_twice_in_one_append_is_refused_before_the_log_is_asked()
    {
        var thought = Events.Thinking();

        Assert.Equal("id", (await Assert.ThrowsAsync<InvalidEventException>(() => AppendAsync(thought, thought))).Field);
    }

    [Fact]
    public async Task An_append_is_all_or_nothing()
    {
        await AppendAsync(Events.Started());

        var refused = await RefusedAsync(Events.Thinking().By("bob"), Events.Thinking() with { Sequence = 7 });

        Assert.Equal((AppendRejection.SequenceMismatch, 1), (refused.Reason, refused.Index));
        Assert.Contains("the next of run 'r-1' is 2", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, await QueryAsync(context => context.Events.CountAsync(Stop)));
        Assert.Equal(2, (await AppendAsync(Events.Thinking())).Events[0].Position);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Nothing_follows_the_end_of_a_run(int sequence)
    {
        await AppendAsync(Events.Completed());

        Assert.Equal(AppendRejection.RunEnded, (await RefusedAsync(Events.Thinking() with { Sequence = sequence })).Reason);
    }

    [Fact]
    public async Task Nothing_follows_the_end_of_a_run_within_one_append()
    {
        var refused = await RefusedAsync(Events.Started(), Events.Completed(), Events.Completed());

        Assert.Equal((AppendRejection.RunEnded, 2), (refused.Reason, refused.Index));
        Assert.Empty(await ReadAsync());
    }

    [Fact]
    public async Task Only_the_runs_attempt_may_append()
    {
        Assert.Equal(AppendRejection.Fenced, (await RefusedAsync(Events.Thinking() with { Attempt = 1 })).Reason);
        var claimed = await CreateClaimedRunAsync(One);
        var thought = Events.Thinking(run: claimed.Key.Run);

        Assert.Equal(AppendRejection.Fenced, (await RefusedAsync(thought)).Reason);
        Assert.Equal(AppendRejection.Fenced, (await RefusedAsync(thought with { Attempt = 2 })).Reason);
        Assert.Equal(2, (await AppendAsync(thought with { Attempt = 1 })).Events[0].Sequence);
    }

    [Fact]
    public async Task A_run_stays_in_its_thread()
    {
        await AppendAsync(Events.Started());

        Assert.Equal(AppendRejection.ThreadMismatch, (await RefusedAsync(Events.Thinking() with { Thread = "t-2" })).Reason);
        Assert.Equal(
            AppendRejection.ThreadMismatch,
            (await RefusedAsync(Events.Started("r-9"), Events.Thinking(run: "r-9") with { Thread = "t-2" })).Reason);
    }

    [Fact]
    public async Task The_first_event_opens_the_run_and_the_last_one_ends_it()
    {
        await AppendAsync(Events.Thinking());
        var opened = await ReadRunAsync();
        await AppendAsync(Events.Started(lease: 30));
        var started = await ReadRunAsync();
        await AppendAsync(Events.Completed());
        var ended = await ReadRunAsync();

        Assert.Equal((RunStatus.Running, 0, 1L, null, "t-1"), (opened.Status, opened.Attempt, opened.LastSequence, opened.LeaseSeconds, opened.Thread));
        Assert.Null(opened.StartedAt);
        Assert.Equal((RunStatus.Running, 2L, 30), (started.Status, started.LastSequence, started.LeaseSeconds));
        Assert.NotNull(started.StartedAt);
        Assert.True(started.LeaseCounter > opened.LeaseCounter);
        Assert.Equal((RunStatus.Completed, 3L), (ended.Status, ended.LastSequence));
        Assert.NotNull(ended.EndedAt);
        Assert.Equal(started.StartedAt, ended.StartedAt);
    }

    [Fact]
    public async Task The_outbox_row_is_this_process_s_and_points_at_what_was_stored()
    {
        await AppendAsync(Events.Thinking());
        await AppendAsync(Events.Thinking(), Events.Thinking().By("bob"), Events.Thinking());

        var row = await QueryAsync(context => context.Outbox.OrderBy(row => row.Id).LastAsync(Stop));
        Assert.Equal((One.Identity.Id, OutboxKind.Events), (row.Owner, row.Kind));
        var batch = Assert.Single(await One.Outbox.ReadAsync([row.Id], Stop));
        Assert.Equal([(Alice, 2L, 2), (Bob, 1L, 1)], batch.Ranges.OrderBy(range => range.Stream).Select(range => (range.Stream, range.First, range.Events.Count)));
        Assert.True(One.Handover.TryTake(out _));
        Assert.True(One.Handover.TryTake(out var handed) && handed.OutboxId == row.Id);
    }

    protected Task<AppendResult> AppendAsync(params AgentEvent[] events) =>
        One.Log.AppendAsync([.. events.Select(One.Encoder.Encode)], Stop);

    protected Task<AppendRejectedException> RefusedAsync(params AgentEvent[] events) =>
        Assert.ThrowsAsync<AppendRejectedException>(() => AppendAsync(events));

    protected async Task<IReadOnlyList<LogEvent>> ReadAsync() =>
        (await One.Reader.ReadAsync(Alice, 0, 1000, int.MaxValue, Stop)).Events;

    private Task<AgentRunRow> ReadRunAsync() => QueryAsync(context => context.Runs.SingleAsync(row => row.Run == "r-1", Stop));
}

public sealed class AppendOnSqlite() : AppendCompliance("sqlite");

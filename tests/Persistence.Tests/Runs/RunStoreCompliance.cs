using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

public sealed class RunStoreOnSqlite() : RunStoreCompliance("sqlite");

public abstract class RunStoreCompliance(string provider) : StoreSuite(provider)
{
    private static NewRun Request(string? key = null, string input = "hello") => new(Alice, "t-1", input, Agent: null, key);

    [Fact]
    public async Task Creating_a_run_appends_its_request_and_nudges_a_worker()
    {
        var created = await One.Runs.CreateAsync(Request(input: "count to three"), Stop);

        var row = await QueryAsync(context => context.Runs.SingleAsync(Stop));
        Assert.Equal((created.Run, "t-1", "demo", "count to three"), (row.Run, row.Thread, row.Agent, row.Input));
        Assert.Equal((RunStatus.Queued, 0, 1L, 1L), (row.Status, row.Attempt, row.LastSequence, row.FirstPosition));
        var requested = await QueryAsync(context => context.Events.SingleAsync(Stop));
        Assert.Equal((EventTypes.RunRequested, 1L, 1L), (requested.Type, requested.Position, requested.Sequence));
        Assert.Contains("count to three", requested.Body, StringComparison.Ordinal);

        var batches = await One.Outbox.ReadAsync(await One.Outbox.ReadOwnIdsAsync(10, Stop), Stop);
        var command = Assert.Single(batches, batch => batch.Command is not null).Command!;
        Assert.Equal(nameof(StartRun), command.Type);
        Assert.Equal(
            new StartRun { Tenant = "default", User = "alice", Run = created.Run },
            JsonSerializer.Deserialize<StartRun>(command.Message, AgentEventJson.Full));
        Assert.Single(batches.SelectMany(batch => batch.Ranges).SelectMany(range => range.Events));
    }

    [Fact]
    public async Task The_cursor_of_a_created_run_is_from_before_its_first_event()
    {
        await CreateRunAsync();
        var created = await CreateRunAsync();

        var generation = await QueryAsync(context => context.Generations.SingleAsync(Stop));
        Assert.Equal(new Cursor(Epoch.Of(generation.Generation, Alice, incarnation: 1), 1), created.Cursor);
    }

    [Fact]
    public async Task The_same_key_with_the_same_body_gets_the_first_answer()
    {
        var first = await One.Runs.CreateAsync(Request("k-1"), Stop);
        var again = await Two.Runs.CreateAsync(Request("k-1"), Stop);

        Assert.Equal(first, again);
        Assert.Equal(1, await QueryAsync(context => context.Runs.CountAsync(Stop)));
        Assert.Equal(1, await QueryAsync(context => context.Events.CountAsync(Stop)));
    }

    [Fact]
    public async Task Racing_requests_with_one_key_create_one_run()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            Task.Run(() => (i % 2 == 0 ? One : Two).Runs.CreateAsync(Request("k-1"), Stop), Stop)));

        Assert.Single(answers.Distinct());
        Assert.Equal(1, await QueryAsync(context => context.Events.CountAsync(Stop)));
    }

    [Fact]
    public async Task The_same_key_with_another_body_is_a_conflict_and_stores_nothing()
    {
        await One.Runs.CreateAsync(Request("k-1"), Stop);

        var conflict = await Assert.ThrowsAsync<IdempotencyConflictException>(
            () => One.Runs.CreateAsync(Request("k-1", input: "something else"), Stop));
        Assert.Equal("k-1", conflict.Key);
        Assert.Equal(1, await QueryAsync(context => context.Runs.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_key_belongs_to_its_user()
    {
        await One.Runs.CreateAsync(Request("k-1"), Stop);
        await One.Runs.CreateAsync(Request("k-1", input: "something else") with { Stream = Bob }, Stop);

        Assert.Equal(2, await QueryAsync(context => context.Runs.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_key_is_forgotten_after_a_day()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var runs = new RunStore(One.Database, One.Encoder, time);
        var first = await runs.CreateAsync(Request("k-1"), Stop);
        await runs.CreateAsync(Request("k-2"), Stop);

        time.Advance(TimeSpan.FromHours(24));
        var second = await runs.CreateAsync(Request("k-1", input: "something else"), Stop);

        Assert.NotEqual(first.Run, second.Run);
        await new IdempotencyCleaner(One.Database, time, NullLogger<IdempotencyCleaner>.Instance).CleanAsync(Stop);
        Assert.Equal(["k-1"], await QueryAsync(context => context.Idempotency.Select(row => row.Key).ToListAsync(Stop)));
    }

    [Theory]
    [InlineData("thread")]
    [InlineData("agent")]
    [InlineData("Idempotency-Key")]
    public async Task A_wrong_field_is_named_and_nothing_is_stored(string field)
    {
        var wrong = field switch
        {
            "thread" => Request() with { Thread = "" },
            "agent" => Request() with { Agent = new string('a', 129) },
            _ => Request("k\n1"),
        };

        Assert.Equal(field, (await Assert.ThrowsAsync<InvalidEventException>(() => One.Runs.CreateAsync(wrong, Stop))).Field);
        Assert.Equal(0, await QueryAsync(context => context.Runs.CountAsync(Stop)));
        Assert.Equal(0, await QueryAsync(context => context.Heads.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_run_is_its_own_users_only()
    {
        var created = await CreateRunAsync(Alice);

        Assert.Equal(RunStatus.Queued, (await One.Runs.GetAsync(Alice, created.Run, Stop))!.Status);
        Assert.Null(await One.Runs.GetAsync(Bob, created.Run, Stop));
        Assert.Null(await One.Runs.RequestCancelAsync(Bob, created.Run, Stop));
        Assert.Equal(RunStatus.Queued, (await One.Runs.GetAsync(Alice, created.Run, Stop))!.Status);
    }

    [Fact]
    public async Task Threads_are_listed_by_their_last_request()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var runs = new RunStore(One.Database, One.Encoder, time);
        var last = "";
        foreach (var thread in new[] { "old", "busy", "other", "busy" })
        {
            time.Advance(TimeSpan.FromMinutes(1));
            last = (await runs.CreateAsync(Request() with { Thread = thread }, Stop)).Run;
        }

        await CreateRunAsync(Bob, thread: "foreign");
        var threads = await runs.ListThreadsAsync(Alice, 2, Stop);

        Assert.Equal(["busy", "other"], threads.Select(thread => thread.Thread));
        Assert.Equal(new ThreadSummary("busy", 2, last, RunStatus.Queued, time.GetUtcNow().UtcDateTime), threads[0]);
    }

    [Fact]
    public async Task Cancelling_a_queued_run_ends_it_at_once()
    {
        var created = await CreateRunAsync();

        var cancelled = await Two.Runs.RequestCancelAsync(Alice, created.Run, Stop);
        Assert.Equal(RunStatus.Cancelled, cancelled!.Status);
        Assert.NotNull(cancelled.EndedAt);
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentCancelled], await TypesAsync(Alice, created.Run));
        Assert.Null(await One.Claims.ClaimAsync(Alice, created.Run, Lease, Stop));
    }

    [Fact]
    public async Task Cancelling_a_running_run_marks_it_and_tells_its_worker()
    {
        var claimed = await CreateClaimedRunAsync(One);

        var marked = await Two.Runs.RequestCancelAsync(Alice, claimed.Key.Run, Stop);
        Assert.Equal(RunStatus.Running, marked!.Status);
        var own = await Two.Outbox.ReadAsync(await Two.Outbox.ReadOwnIdsAsync(10, Stop), Stop);
        Assert.Equal(nameof(CancelRun), Assert.Single(own).Command!.Type);
        Assert.True((await One.Claims.RenewAsync([(claimed.Key, claimed.Attempt)], Stop))[claimed.Key]);
    }

    [Fact]
    public async Task Cancelling_an_ended_run_changes_nothing()
    {
        var claimed = await CreateClaimedRunAsync(One);
        await One.AppendAsync(claimed, new AgentCompleted());
        var ended = await One.Runs.GetAsync(Alice, claimed.Key.Run, Stop);

        Assert.Equal(ended, await One.Runs.RequestCancelAsync(Alice, claimed.Key.Run, Stop));
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentCompleted], await TypesAsync(Alice, claimed.Key.Run));
    }

    [Fact]
    public async Task Cancelling_a_run_that_no_worker_executes_ends_it()
    {
        await One.AppendAsync(new AgentStarted { Tenant = "default", User = "alice", Thread = "t-1", Run = "theirs", Agent = "theirs" });

        Assert.Equal(RunStatus.Cancelled, (await One.Runs.RequestCancelAsync(Alice, "theirs", Stop))!.Status);
        Assert.Equal([EventTypes.AgentStarted, EventTypes.AgentCancelled], await TypesAsync(Alice, "theirs"));
    }

    [Fact]
    public async Task Cancelling_a_run_that_was_given_back_ends_it_at_once()
    {
        var claimed = await CreateClaimedRunAsync(One);
        await One.Claims.ReleaseAsync(claimed.Key, claimed.Attempt, Stop);

        Assert.Equal(RunStatus.Cancelled, (await Two.Runs.RequestCancelAsync(Alice, claimed.Key.Run, Stop))!.Status);
    }
}

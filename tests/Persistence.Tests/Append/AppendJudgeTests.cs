using System.Text;
using CsCheck;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>The rules of an append, without a database.</summary>
public sealed class AppendJudgeTests
{
    private static readonly StreamKey Alice = StreamKey.Of("default", "alice");
    private static readonly StreamKey Bob = StreamKey.Of("default", "bob");

    [Fact]
    public void Positions_follow_the_head_and_sequences_the_run()
    {
        var plan = Judge(Lookup(head: 7, runs: [("r", new RunState("t", false, 0, 3))]), [Event(), Event(sequence: 5)]);

        Assert.Equal([(8L, 4L), (9L, 5L)], plan.Events.Select(e => (e.Position, e.Sequence)));
        Assert.Equal((8, 9), (plan.Ranges[0].First, plan.Ranges[0].Last));
        Assert.Equal("""{"sequence":4,"type":"note"}""", Encoding.UTF8.GetString(plan.Events[0].Body.Span));
        Assert.Equal("""{"type":"note"}""", Encoding.UTF8.GetString(plan.Events[1].Body.Span));
    }

    [Fact]
    public void A_refused_unit_takes_no_position_from_the_next_one()
    {
        var plan = Judge(Lookup(head: 1), [Event(run: "a"), Event(run: "a", sequence: 9)], [Event(run: "b")]);

        Assert.Equal(AppendRejection.SequenceMismatch, plan.Outcomes[0].Rejection!.Reason);
        Assert.Equal(1, plan.Outcomes[0].Rejection!.Index);
        Assert.Equal([(2L, "b")], plan.Events.Select(e => (e.Position, e.Event.Run)));
        Assert.Equal("b", Assert.Single(plan.Runs).Key.Run);
    }

    [Fact]
    public void A_unit_with_one_stream_that_is_not_locked_is_skipped_whole()
    {
        var plan = Judge(Lookup(head: 1), [Event(), Event(stream: Bob)], [Event(run: "other")]);

        Assert.True(plan.Outcomes[0].Skipped);
        Assert.Equal(2, Assert.Single(plan.Events).Position);
    }

    [Fact]
    public void An_id_that_an_earlier_unit_of_the_group_brought_is_known_to_the_next()
    {
        var first = Event();
        var retry = Event(id: first.Id);
        var other = Event(id: first.Id, hash: 2);

        var plan = Judge(Lookup(head: 0), [first], [retry], [other]);

        Assert.Single(plan.Events);
        Assert.True(plan.Outcomes[1].Appended!.Events[0].Duplicate);
        Assert.Equal(AppendRejection.IdConflict, plan.Outcomes[2].Rejection!.Reason);
    }

    [Fact]
    public void Ids_come_before_fences()
    {
        var ending = Event(type: EventTypes.AgentCompleted);
        var known = new Dictionary<(StreamKey, Guid), KnownEvent> { [(Alice, ending.Id)] = new(3, 2, ending.Hash) };
        var log = Lookup(head: 3, runs: [("r", new RunState("t", true, 4, 2))]) with { Known = known };

        var plan = Judge(log, [ending]);

        Assert.True(plan.StoresNothing);
        Assert.Null(plan.Stored.Batch);
        Assert.Equal((3, 2), (plan.Outcomes[0].Appended!.Events[0].Position, plan.Outcomes[0].Appended!.Events[0].Sequence));
    }

    [Theory]
    [InlineData(true, 0, "t", 0, AppendRejection.RunEnded)]
    [InlineData(false, 2, "t", 0, AppendRejection.Fenced)]
    [InlineData(false, 0, "elsewhere", 0, AppendRejection.ThreadMismatch)]
    [InlineData(false, 0, "t", 3, AppendRejection.SequenceMismatch)]
    public void Fences_come_in_one_order(bool ended, int attempt, string thread, int sequence, AppendRejection expected)
    {
        var log = Lookup(head: 1, runs: [("r", new RunState(thread, ended, attempt, 1))]);

        Assert.Equal(expected, Judge(log, [Event(sequence: sequence)]).Outcomes[0].Rejection!.Reason);
    }

    [Fact]
    public void What_a_run_gained_is_summed_up()
    {
        var run = Assert.Single(Judge(
            Lookup(head: 4), [Event(type: EventTypes.AgentStarted, lease: 30), Event(), Event(type: EventTypes.AgentFailed)]).Runs);

        Assert.Equal((5, 3, 30, true, RunStatus.Failed), (run.FirstPosition, run.LastSequence, run.LeaseSeconds, run.HasStarted, run.Ending));
    }

    [Fact]
    public void Whatever_the_units_positions_and_sequences_have_no_gap()
    {
        var unit = Gen.Select(Gen.Int[0, 2], Gen.Int[0, 4], Gen.Bool).List[1, 4];
        unit.List[1, 12].Sample(units =>
        {
            var plan = Judge(
                Lookup(head: 5) with { Heads = new Dictionary<StreamKey, StreamHead> { [Alice] = Head(5), [Bob] = Head(0) } },
                [.. units.Select(events => events.Select(e => Event(
                    stream: e.Item3 ? Alice : Bob, run: $"r{e.Item1}", sequence: e.Item2 == 4 ? 99 : 0)).ToArray())]);

            foreach (var range in plan.Ranges)
            {
                var positions = plan.Events.Where(e => e.Event.Stream == range.Stream).Select(e => e.Position);
                Assert.Equal(Enumerable.Range(0, (int)(range.Last - range.First) + 1).Select(i => range.First + i), positions);
            }

            foreach (var run in plan.Runs)
            {
                var sequences = plan.Events.Where(e => new RunKey(e.Event.Stream, e.Event.Run) == run.Key).Select(e => e.Sequence);
                Assert.Equal(Enumerable.Range(1, (int)run.LastSequence).Select(i => (long)i), sequences);
            }

            Assert.All(units.Zip(plan.Outcomes), pair => Assert.Equal(pair.First.Exists(e => e.Item2 == 4), pair.Second.Rejection is not null));
        });
    }

    private static AppendPlan Judge(AppendLookup log, params NewEvent[][] units) => AppendJudge.Judge(units, log);

    private static StreamHead Head(long head) => new(Generation: 1, Incarnation: 1, head, Trimmed: 0);

    private static AppendLookup Lookup(long head, params (string Run, RunState State)[] runs) => new(
        Generation: 1,
        OutboxId: 1,
        new Dictionary<StreamKey, StreamHead> { [Alice] = Head(head) },
        new Dictionary<(StreamKey, Guid), KnownEvent>(),
        runs.ToDictionary(run => new RunKey(Alice, run.Run), run => run.State));

    private static NewEvent Event(
        StreamKey? stream = null, string run = "r", string type = "note", long sequence = 0, int? lease = null, Guid? id = null, byte hash = 1) => new()
        {
            Stream = stream ?? Alice,
            Id = id ?? Guid.CreateVersion7(),
            Type = type,
            Thread = "t",
            Run = run,
            Sequence = sequence,
            Attempt = 0,
            OccurredAt = DateTimeOffset.UnixEpoch,
            LeaseSeconds = lease,
            Hash = [hash],
            Body = Encoding.UTF8.GetBytes($$"""{"type":"{{type}}"}"""),
        };
}

using System.Text.Json;

namespace Pipeline.Testing.Tests;

/// <summary>The checker on forged histories: each promise broken once is found, and what is legal is not.</summary>
public sealed class CheckerTests
{
    private const string Epoch = "k3v9ab";
    private const string Alice = "alice";
    private const string Bob = "bob";

    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly History _history = new();
    private readonly Dictionary<string, CommittedLog> _logs = new()
    {
        [Alice] = new(Epoch, 0, []),
        [Bob] = new(Epoch, 0, []),
    };

    [Fact]
    public void A_sound_history_has_no_violation()
    {
        Commit(Alice, 1, 2, 3);
        Receive(Alice, 1, 2, 3);

        var verdict = Judge();

        Assert.Empty(verdict.Violations);
        Assert.Equal("events=3 faults=0 violations=0", verdict.ToString());
    }

    [Fact]
    public void What_was_acknowledged_and_not_received_is_lost()
    {
        Commit(Alice, 1, 2, 3);
        Receive(Alice, 1, 2);

        Assert.Equal("I1", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_was_acknowledged_and_is_not_in_the_log_is_lost()
    {
        var id = Guid.CreateVersion7();
        _history.Attempt(Alice, id);
        _history.Acknowledge(Alice, id, $"{Epoch}_1");

        Assert.Equal("I1", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_was_attempted_and_never_answered_may_be_there_or_not()
    {
        _history.Attempt(Alice, Guid.CreateVersion7());
        Commit(Alice, acknowledged: false, 1);
        Receive(Alice, 1);

        var verdict = Judge();

        Assert.Empty(verdict.Violations);
        Assert.Equal(1, verdict.Recovered);
    }

    [Fact]
    public void What_nobody_attempted_is_unexpected()
    {
        Commit(Alice, 1);
        Receive(Alice, 1);
        Store(Alice, Event(2, sequence: 1));
        Receive(_history.Clients.Single(), 2);

        Assert.Equal("I2", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_an_agent_appends_to_a_run_that_was_asked_for_is_expected()
    {
        _history.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true));
        Receive(Alice, 1);

        Assert.Empty(Judge().Violations);
    }

    [Fact]
    public void A_body_that_is_not_the_committed_one_is_found()
    {
        Commit(Alice, 1);
        _history.Client(Alice, "alice/1").Receive($$"""{"cursor":"{{Epoch}}_1","id":"another"}""");

        Assert.Equal("I2", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void An_event_of_another_user_is_found()
    {
        Commit(Alice, 1);
        Commit(Bob, 1);
        var client = _history.Client(Alice, "alice/1");
        client.Receive(Wire(_logs[Bob].Events[0]));

        Assert.Equal("I5", Assert.Single(Judge().Violations).Invariant);
    }

    [Theory]
    [InlineData(1, 3, 2)]
    [InlineData(1, 2, 2, 3)]
    [InlineData(1, 2, 3, 2, 3)]
    public void A_doubled_or_swapped_event_is_found(params int[] order)
    {
        Commit(Alice, 1, 2, 3);
        Receive(Alice, order);

        Assert.Contains(Judge().Violations, violation => violation.Invariant == "I3");
        Assert.All(Judge().Violations, violation => Assert.Equal("I3", violation.Invariant));
    }

    [Fact]
    public void A_hole_is_both_out_of_order_and_a_loss()
    {
        Commit(Alice, 1, 2, 3);
        Receive(Alice, 1, 3);

        Assert.Equal(["I1", "I3"], Judge().Violations.Select(violation => violation.Invariant).Order());
    }

    [Fact]
    public void A_hole_in_the_log_is_found()
    {
        Commit(Alice, 1, 3);
        Receive(Alice, 1, 3);

        Assert.All(Judge().Violations, violation => Assert.Equal("I3", violation.Invariant));
        Assert.NotEmpty(Judge().Violations);
    }

    [Fact]
    public void One_id_at_two_positions_is_found()
    {
        Commit(Alice, 1);
        Store(Alice, _logs[Alice].Events[0] with { Position = 2 });
        Receive(Alice, 1, 2);

        Assert.Contains(Judge().Violations, violation => violation.Invariant == "I4");
    }

    [Fact]
    public void An_acknowledgement_of_another_position_is_found()
    {
        Commit(Alice, 1, 2);
        Receive(Alice, 1, 2);
        _history.Acknowledge(Alice, _logs[Alice].Events[0].Id, $"{Epoch}_2");

        Assert.Equal("I4", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void A_request_that_was_made_once_and_gave_two_runs_is_found()
    {
        _history.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true, run: "r-1", sequence: 1));
        Store(Alice, Event(2, terminal: true, run: "r-2", sequence: 1));
        Receive(Alice, 1, 2);

        Assert.Equal("I4", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void Another_epoch_needs_an_explicit_reset()
    {
        Commit(Alice, 1, 2);
        var silent = _history.Client(Alice, "alice/silent");
        silent.Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");
        Receive(silent, 1, 2);
        Assert.Equal("I3", Assert.Single(Judge().Violations).Invariant);

        var told = _history.Client(Alice, "alice/told");
        told.Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");
        told.Reset($"{Epoch}_0", "epoch");
        Receive(told, 1, 2);
        Assert.DoesNotContain(Judge(resets: true).Violations, violation => violation.What.StartsWith("alice/told", StringComparison.Ordinal));
    }

    [Fact]
    public void A_client_that_stays_in_a_former_epoch_is_found()
    {
        Commit(Alice, 1);
        _history.Client(Alice, "alice/1").Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");

        Assert.Contains(Judge().Violations, violation => violation.Invariant == "I6");
    }

    [Fact]
    public void What_comes_behind_a_reset_is_all_that_is_due()
    {
        Commit(Alice, 1, 2, 3, 4);
        var client = _history.Client(Alice, "alice/1");
        Receive(client, 1);
        client.Reset($"{Epoch}_2", "expired");
        Receive(client, 3);

        Assert.Equal("I1", Assert.Single(Judge(resets: true).Violations).Invariant);
        Receive(client, 4);
        Assert.Empty(Judge(resets: true).Violations);
        Assert.Equal("I6", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_retention_took_is_no_loss()
    {
        Commit(Alice, 1, 2, 3);
        _logs[Alice] = _logs[Alice] with { Trimmed = 1, Events = [.. _logs[Alice].Events.Skip(1)] };
        Receive(_history.Client(Alice, "alice/late"), 2, 3);

        Assert.Empty(Judge().Violations);
    }

    [Fact]
    public void A_frame_that_does_not_continue_the_client_is_found()
    {
        Commit(Alice, 1, 2);
        var client = _history.Client(Alice, "alice/1");
        Receive(client, 1);
        using var frame = JsonDocument.Parse($$"""{"after":"{{Epoch}}_0","events":[{{Wire(_logs[Alice].Events[1])}}]}""");
        client.ReceiveFrame(frame.RootElement);

        Assert.Equal("I6", Assert.Single(Judge().Violations).Invariant);
    }

    [Theory]
    [InlineData(1.9, 0)]
    [InlineData(2.1, 1)]
    public void Two_seconds_from_commit_to_screen_are_in_time(double seconds, int violations)
    {
        Commit(Alice, 1);
        _logs[Alice] = _logs[Alice] with { Events = [_logs[Alice].Events[0] with { StoredAt = TimeProvider.System.GetUtcNow().AddSeconds(-seconds) }] };
        Receive(Alice, 1);
        Receive(_history.Client(Alice, "alice/dropping", stays: false), 1);

        Assert.Equal(violations, Judge().Violations.Count(violation => violation.Invariant == "I8"));
    }

    [Theory]
    [InlineData(5, 10, 10 + 12)]
    [InlineData(-30, -11, 2)]
    [InlineData(-30, -9, 3)]
    [InlineData(3, 10, 2)]
    public void Faults_put_off_what_is_due_until_they_are_healed_for_ten_seconds(int from, int until, int due)
    {
        // The first span makes the second matter where it begins within the time that the first put off.
        FaultSpan[] faults = from == 5
            ? [Span(0, 1), Span(from, until)]
            : [Span(from, until)];

        Assert.Equal(Noon.AddSeconds(due), Checker.Deadline(Noon, faults));
    }

    [Fact]
    public void While_a_fault_lasts_nothing_is_due()
    {
        Assert.Equal(DateTimeOffset.MaxValue, Checker.Deadline(Noon, [new FaultSpan("", Noon, null)]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_run_ends_once(int endings)
    {
        _history.Ask(Alice, "t-1");
        for (var position = 1; position <= 2; position++)
        {
            Store(Alice, Event(position, terminal: position <= endings));
        }

        Receive(Alice, 1, 2);

        Assert.Equal("I10", Assert.Single(Judge(runsEnd: true).Violations).Invariant);
        Assert.Equal(endings == 0 ? 0 : 1, Judge().Violations.Count);
    }

    [Fact]
    public void Nothing_follows_the_end_of_a_run()
    {
        _history.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true));
        Store(Alice, Event(2));
        Receive(Alice, 1, 2);

        Assert.Equal("I10", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void A_gap_in_the_numbers_of_a_run_is_found()
    {
        _history.Ask(Alice, "t-1");
        Store(Alice, Event(1, sequence: 1));
        Store(Alice, Event(2, sequence: 3, terminal: true));
        Receive(Alice, 1, 2);

        Assert.Equal("I3", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_was_seen_while_it_ran_counts()
    {
        _history.Violate("I9", "a node answered a handshake with 503");
        _history.Client(Alice, "alice/1").Violate("I9", "answered with 500");

        Assert.Equal(["I9", "I9"], Judge().Violations.Select(violation => violation.Invariant));
    }

    private Verdict Judge(bool resets = false, bool runsEnd = false) =>
        Checker.Judge(_history, _logs, new JudgeTerms { Resets = resets, RunsEnd = runsEnd });

    private static FaultSpan Span(int from, int until) => new("", Noon.AddSeconds(from), Noon.AddSeconds(until));

    private void Commit(string user, params int[] positions) => Commit(user, acknowledged: true, positions);

    private void Commit(string user, bool acknowledged, params int[] positions)
    {
        foreach (var position in positions)
        {
            var e = Event(position, run: "r-0", thread: "t-0", sequence: position);
            _history.Attempt(user, e.Id);
            Store(user, e);
            if (acknowledged)
            {
                _history.Acknowledge(user, e.Id, $"{Epoch}_{position}");
            }
        }
    }

    private void Store(string user, CommittedEvent e) => _logs[user] = _logs[user] with { Events = [.. _logs[user].Events, e] };

    private void Receive(string user, params int[] positions) => Receive(_history.Client(user, $"{user}/1"), positions);

    private void Receive(ClientHistory client, params int[] positions)
    {
        foreach (var position in positions)
        {
            client.Receive(Wire(_logs[client.User].Events.First(e => e.Position == position)));
        }
    }

    private static string Wire(CommittedEvent e) => $"{{\"cursor\":\"{Epoch}_{e.Position}\",{e.Body[1..]}";

    private static CommittedEvent Event(int position, bool terminal = false, string run = "r-1", string thread = "t-1", int? sequence = null) => new(
        position,
        JsonSerializer.Serialize(new
        {
            id = Guid.CreateVersion7(),
            type = terminal ? "agent_completed" : "note",
            thread,
            run,
            sequence = sequence ?? position,
        }),
        TimeProvider.System.GetUtcNow());
}

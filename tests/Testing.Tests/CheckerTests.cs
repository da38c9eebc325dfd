using System.Text.Json;

namespace Pipeline.Testing.Tests;

/// <summary>What clients received, on forged histories: each promise broken once is found, and what is legal is not.</summary>
public sealed class CheckerTests : ForgedHistory
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_soundHistory_has_no_violation()
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
        History.Attempt(Alice, id);
        History.Acknowledge(Alice, id, $"{Epoch}_1");

        Assert.Equal("I1", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_was_attempted_and_never_answered_may_be_there_or_not()
    {
        History.Attempt(Alice, Guid.CreateVersion7());
        Commit(Alice, acknowledged: false, 1);
        Receive(Alice, 1);

        var verdict = Judge();

        Assert.Empty(verdict.Violations);
        Assert.Equal(1, verdict.Recovered);
    }

    [Fact]
    public void A_body_that_is_not_the_committed_one_is_found()
    {
        Commit(Alice, 1);
        History.Client(Alice, "alice/1").Receive($$"""{"cursor":"{{Epoch}}_1","id":"another"}""");

        Assert.Equal("I2", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void An_event_of_another_user_is_found()
    {
        Commit(Alice, 1);
        Commit(Bob, 1);
        var client = History.Client(Alice, "alice/1");
        client.Receive(Wire(Logs[Bob].Events[0]));

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
    public void Another_epoch_needs_an_explicit_reset()
    {
        Commit(Alice, 1, 2);
        var silent = History.Client(Alice, "alice/silent");
        silent.Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");
        Receive(silent, 1, 2);
        Assert.Equal("I3", Assert.Single(Judge().Violations).Invariant);

        var told = History.Client(Alice, "alice/told");
        told.Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");
        told.Reset($"{Epoch}_0", "epoch");
        Receive(told, 1, 2);
        Assert.DoesNotContain(Judge(resets: true).Violations, violation => violation.What.StartsWith("alice/told", StringComparison.Ordinal));
    }

    [Fact]
    public void A_client_that_stays_in_a_former_epoch_is_found()
    {
        Commit(Alice, 1);
        History.Client(Alice, "alice/1").Receive("""{"cursor":"0ldep0_1","id":"of the other history"}""");

        Assert.Contains(Judge().Violations, violation => violation.Invariant == "I6");
    }

    [Fact]
    public void What_comes_behind_a_reset_is_all_that_is_due()
    {
        Commit(Alice, 1, 2, 3, 4);
        var client = History.Client(Alice, "alice/1");
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
        Logs[Alice] = Logs[Alice] with { Trimmed = 1, Events = [.. Logs[Alice].Events.Skip(1)] };
        Receive(History.Client(Alice, "alice/late"), 2, 3);

        Assert.Empty(Judge().Violations);
    }

    [Fact]
    public void A_frame_that_does_not_continue_the_client_is_found()
    {
        Commit(Alice, 1, 2);
        var client = History.Client(Alice, "alice/1");
        Receive(client, 1);
        using var frame = JsonDocument.Parse($$"""{"after":"{{Epoch}}_0","events":[{{Wire(Logs[Alice].Events[1])}}]}""");
        client.ReceiveFrame(frame.RootElement);

        Assert.Equal("I6", Assert.Single(Judge().Violations).Invariant);
    }

    [Theory]
    [InlineData(1.9, 0)]
    [InlineData(2.1, 1)]
    public void Two_seconds_from_commit_to_screen_are_in_time(double seconds, int violations)
    {
        var (staying, dropping) = (History.Client(Alice, "alice/1"), History.Client(Alice, "alice/dropping", stays: false));
        staying.Come();
        dropping.Come();
        Commit(Alice, 1);
        Time.Advance(TimeSpan.FromSeconds(seconds));
        Receive(staying, 1);
        Receive(dropping, 1);

        Assert.Equal(violations, Judge().Violations.Count(violation => violation.Invariant == "I8"));
    }

    [Fact]
    public void What_was_committed_before_a_client_came_is_not_late()
    {
        var (late, never) = (History.Client(Alice, "alice/1"), History.Client(Alice, "alice/2"));
        Commit(Alice, 1);
        Time.Advance(TimeSpan.FromMinutes(1));
        late.Come();
        Receive(late, 1);
        Receive(never, 1);

        Assert.StartsWith("alice/2:", Assert.Single(Judge().Violations).What, StringComparison.Ordinal);
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

    [Fact]
    public void What_was_seen_while_it_ran_counts()
    {
        History.Violate("I9", "a node answered a handshake with 503");
        History.Client(Alice, "alice/1").Violate("I9", "answered with 500");

        Assert.Equal(["I9", "I9"], Judge().Violations.Select(violation => violation.Invariant));
    }

    private static FaultSpan Span(int from, int until) => new("", Noon.AddSeconds(from), Noon.AddSeconds(until));
}

namespace Pipeline.Testing.Tests;

/// <summary>What the log holds, on forged histories: positions, ids, runs, and who attempted it.</summary>
public sealed class LogCheckerTests : ForgedHistory
{
    [Fact]
    public void What_nobody_attempted_is_unexpected()
    {
        Commit(Alice, 1);
        Receive(Alice, 1);
        Store(Alice, Event(2, sequence: 1));
        Receive(History.Clients.Single(), 2);

        Assert.Equal("I2", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void What_an_agent_appends_to_a_run_that_was_asked_for_is_expected()
    {
        History.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true));
        Receive(Alice, 1);

        Assert.Empty(Judge().Violations);
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
        Store(Alice, Logs[Alice].Events[0] with { Position = 2 });
        Receive(Alice, 1, 2);

        Assert.Contains(Judge().Violations, violation => violation.Invariant == "I4");
    }

    [Fact]
    public void An_acknowledgement_of_another_position_is_found()
    {
        Commit(Alice, 1, 2);
        Receive(Alice, 1, 2);
        History.Acknowledge(Alice, Logs[Alice].Events[0].Id, $"{Epoch}_2");

        Assert.Equal("I4", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void A_request_that_was_made_once_and_gave_two_runs_is_found()
    {
        History.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true, run: "r-1", sequence: 1));
        Store(Alice, Event(2, terminal: true, run: "r-2", sequence: 1));
        Receive(Alice, 1, 2);

        Assert.Equal("I4", Assert.Single(Judge().Violations).Invariant);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_run_ends_once(int endings)
    {
        History.Ask(Alice, "t-1");
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
        History.Ask(Alice, "t-1");
        Store(Alice, Event(1, terminal: true));
        Store(Alice, Event(2));
        Receive(Alice, 1, 2);

        Assert.Equal("I10", Assert.Single(Judge().Violations).Invariant);
    }

    [Fact]
    public void A_gap_in_the_numbers_of_a_run_is_found()
    {
        History.Ask(Alice, "t-1");
        Store(Alice, Event(1, sequence: 1));
        Store(Alice, Event(2, sequence: 3, terminal: true));
        Receive(Alice, 1, 2);

        Assert.Equal("I3", Assert.Single(Judge().Violations).Invariant);
    }
}

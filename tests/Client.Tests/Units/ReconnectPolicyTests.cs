using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>PROTOCOL.md, section 8: the close codes say what the client does.</summary>
public sealed class ReconnectPolicyTests
{
    private static readonly Ending Lost = new(Ending.Lost, "lost");
    private static readonly Ending Refused = new(CloseCodes.Unauthorized, "refused");
    private static readonly Ending Overload = new(CloseCodes.Overload, "overload");
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(CloseCodes.Forbidden, ClosedReasons.Refused)]
    [InlineData(CloseCodes.NotFound, ClosedReasons.Refused)]
    [InlineData(CloseCodes.Replaced, ClosedReasons.Replaced)]
    [InlineData(CloseCodes.InvalidPayload, ClosedReasons.Defect)]
    [InlineData(CloseCodes.PolicyViolation, ClosedReasons.Defect)]
    [InlineData(CloseCodes.TooBig, ClosedReasons.Defect)]
    public void A_code_that_no_second_try_would_change_gives_up(int code, string reason) =>
        Assert.Equal(reason, Policy().Judge(new Ending(code, "")).GivesUp);

    [Theory]
    [InlineData(Ending.Lost)]
    [InlineData(CloseCodes.Restart)]
    [InlineData(CloseCodes.Overload)]
    [InlineData(1001)]
    [InlineData(1011)]
    [InlineData(4999)]
    public void Any_other_code_is_tried_again(int code) => Assert.Null(Policy().Judge(new Ending(code, "")).GivesUp);

    [Fact]
    public void The_bound_of_the_wait_doubles_from_half_a_second_to_eight()
    {
        var policy = Policy();
        Assert.Equal([0.5, 1, 2, 4, 8, 8, 8], Enumerable.Range(0, 7).Select(_ => policy.Judge(Lost).Wait.TotalSeconds));
    }

    [Fact]
    public void After_an_overload_the_bound_doubles_to_thirty_seconds()
    {
        var policy = Policy();
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 30, 30], Enumerable.Range(0, 8).Select(_ => policy.Judge(Overload).Wait.TotalSeconds));
    }

    [Fact]
    public void The_wait_is_anywhere_below_its_bound()
    {
        Assert.Equal(TimeSpan.Zero, Policy(part: 0).Judge(Lost).Wait);
        Assert.Equal(0.2, Policy(part: 0.4).Judge(Lost).Wait.TotalSeconds, 6);
    }

    [Fact]
    public void What_the_service_asks_to_wait_is_the_least()
    {
        Assert.Equal(7, Policy().Judge(Lost with { RetryAfter = TimeSpan.FromSeconds(7) }).Wait.TotalSeconds);
        Assert.Equal(0.5, Policy().Judge(Lost with { RetryAfter = TimeSpan.FromSeconds(0.1) }).Wait.TotalSeconds);
    }

    [Fact]
    public void Only_a_reader_that_caught_up_and_stayed_so_for_five_seconds_starts_over_with_short_waits()
    {
        var policy = Policy();
        policy.Judge(Lost);
        policy.Judge(Lost);
        policy.Ready();
        Assert.Equal(2, policy.Judge(Lost).Wait.TotalSeconds);
        policy.Live();
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(4, policy.Judge(Lost).Wait.TotalSeconds);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(8, policy.Judge(Lost).Wait.TotalSeconds);
        policy.Live();
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(0.5, policy.Judge(Lost).Wait.TotalSeconds);
    }

    [Fact]
    public void A_refused_token_is_worth_a_new_one_at_once_and_the_second_in_a_row_is_not()
    {
        var policy = Policy();
        Assert.Equal(new Verdict(TimeSpan.Zero), policy.Judge(Refused));
        policy.Judge(Lost);
        Assert.Equal(ClosedReasons.Token, policy.Judge(Refused).GivesUp);
    }

    [Fact]
    public void A_token_that_was_good_meanwhile_makes_the_next_refusal_a_first_one()
    {
        var policy = Policy();
        policy.Judge(Refused);
        policy.Ready();
        Assert.Null(policy.Judge(Refused).GivesUp);
    }

    [Fact]
    public void A_client_that_leaves_by_itself_comes_back_at_once() =>
        Assert.Equal(new Verdict(TimeSpan.Zero), Policy().Judge(new Ending(Ending.Left, "")));

    private ReconnectPolicy Policy(double part = 1) => new(new Jitter(new FixedRandom(part)), _time);
}

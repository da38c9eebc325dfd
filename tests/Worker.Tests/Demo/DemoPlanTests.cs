using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;

namespace Pipeline.Worker.Tests;

public sealed class DemoPlanTests
{
    [Theory]
    [InlineData("What is 6 * 7?", "6 * 7")]
    [InlineData("please work out (17 + 4) * 2, thanks", "(17 + 4) * 2")]
    [InlineData("10/0", "10/0")]
    [InlineData("12-5", "12-5")]
    [InlineData("-3 + 4", "-3 + 4")]
    [InlineData("2^10 is what?", "2^10")]
    [InlineData("How much is 7 - 9", "7 - 9")]
    public void Arithmetic_is_found_in_a_request(string input, string expression)
    {
        var plan = DemoPlan.For(input);
        Assert.Equal(expression, plan.Expression);
        Assert.Null(plan.Question);
    }

    [Theory]
    [InlineData("What happened on 2026-11-23?")]
    [InlineData("Give me 3 facts")]
    [InlineData("Call +49 30 1234")]
    [InlineData("and/or")]
    public void A_number_alone_is_no_arithmetic(string input) => Assert.Null(DemoPlan.For(input).Expression);

    [Theory]
    [InlineData("What time is it?", null)]
    [InlineData("What time is it in Europe/Berlin?", "Europe/Berlin")]
    [InlineData("the DATE in Tokyo please", "Asia/Tokyo")]
    [InlineData("time on Mars/Olympus", "Mars/Olympus")]
    public void A_question_for_the_time_names_its_zone(string input, string? zone)
    {
        var plan = DemoPlan.For(input);
        Assert.True(plan.AsksForTime);
        Assert.Equal(zone, plan.Zone);
        Assert.Null(plan.Question);
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("")]
    [InlineData("How do timers work?")]
    public void Anything_else_is_searched_for(string input) => Assert.Equal(input, DemoPlan.For(input).Question);

    [Fact]
    public void One_request_may_need_all_three_tools()
    {
        var plan = DemoPlan.For("What is 1 + 1, what time is it, and what is a cursor?");
        Assert.Equal("1 + 1", plan.Expression);
        Assert.True(plan.AsksForTime);
        Assert.NotNull(plan.Question);
    }

    [Theory]
    [InlineData("1 + ")]
    [InlineData("think ")]
    [InlineData("A/")]
    public void A_long_request_is_read_in_a_moment(string part)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        DemoPlan.For(string.Concat(Enumerable.Repeat(part, 50_000)));
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    [Theory]
    [InlineData("think for a long while", true)]
    [InlineData("Please Think for a LONG while about 6 * 7", true)]
    [InlineData("think about 6 * 7", false)]
    public void A_long_while_is_asked_for_in_words(string input, bool thinksLong) =>
        Assert.Equal(thinksLong, DemoPlan.For(input).ThinksLong);

    [Fact]
    public void The_clock_reads_UTC_and_named_zones()
    {
        var clock = new Clock(new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 3, 8, 0, TimeSpan.Zero)));
        Assert.Equal("2026-11-23T03:08:00+00:00", clock.Read(null).Time);
        var berlin = clock.Read("Europe/Berlin");
        Assert.Equal("2026-11-23T04:08:00+01:00", berlin.Time);
        Assert.Equal("04:08:00 on Monday, 23 November 2026 (UTC+01:00)", berlin.Text);
    }

    [Fact]
    public void The_clock_refuses_a_zone_it_does_not_know()
    {
        var error = Assert.Throws<ToolFailedException>(() => new Clock(TimeProvider.System).Read("Mars/Olympus"));
        Assert.Contains("'Mars/Olympus'", error.Message, StringComparison.Ordinal);
    }
}

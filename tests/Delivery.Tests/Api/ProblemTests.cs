using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Pipeline.Delivery.Tests;

public sealed class ProblemTests
{
    [Fact]
    public async Task Unknown_routes_methods_and_media_types_are_problems_that_say_what_to_do()
    {
        await using var node = await TestNode.StartAsync();
        var token = await node.TokenAsync("alice", "events:append");

        Assert.Contains("/v1/nothing", (await node.GetAsync("/v1/nothing", token)).IsProblem(404).Detail, StringComparison.Ordinal);
        Assert.Contains("use GET", (await node.PostAsync("/v1/threads", token, new { })).IsProblem(405).Detail, StringComparison.Ordinal);
        var text = await node.PostRawAsync("/v1/events", token, Encoding.UTF8.GetBytes("{}"), "text/plain");
        Assert.Contains("application/json", text.IsProblem(415).Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, false, 503)]
    [InlineData("57P03", true, 503)]
    [InlineData("42P01", false, 503)]
    [InlineData("25006", false, 503)]
    [InlineData("23505", false, 500)]
    [InlineData("22003", false, 500)]
    [InlineData("42601", false, 500)]
    public async Task A_database_that_is_away_is_503_and_a_statement_that_it_refuses_is_our_fault(string? sqlState, bool transient, int status)
    {
        await using var node = await TestNode.StartAsync(
            map: app => app.MapGet("/fault", IResult () => throw new InvalidOperationException("outer", new DatabaseRefusal(sqlState, transient))));

        (await node.GetAsync("/fault")).IsProblem(status);
    }

    private sealed class DatabaseRefusal(string? sqlState, bool transient) : System.Data.Common.DbException("refused")
    {
        public override string? SqlState => sqlState;

        public override bool IsTransient => transient;
    }

    [Fact]
    public async Task A_fault_of_this_service_is_a_500_that_gives_nothing_away()
    {
        await using var node = await TestNode.StartAsync(
            environment: "Development", map: app => app.MapGet("/fault", IResult () => throw new InvalidOperationException("secret")));

        var answer = (await node.GetAsync("/fault")).IsProblem(500);
        Assert.DoesNotContain("secret", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("InvalidOperation", answer.Text, StringComparison.Ordinal);
    }
}

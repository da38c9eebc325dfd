using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Worker.Tests;

/// <summary>Calls of tools: whatever becomes of one, it is shown to its end.</summary>
public sealed class ToolCallTests() : WorkerSuite("sqlite")
{
    [Fact]
    public async Task A_tool_call_is_shown_with_its_arguments_and_its_result_or_error()
    {
        await StartWorkerAsync(async (context, ct) =>
        {
            Assert.Equal(3, await context.CallToolAsync("add", new { Left = 1, Right = 2 }, _ => Task.FromResult(3), ct));
            await Assert.ThrowsAsync<IOException>(
                () => context.CallToolAsync<int>("disk", null, _ => throw new IOException("full"), ct));
        });
        var events = await EndsAsync(await AskAsync(), RunStatus.Completed);
        Assert.Equal(
            ["run_requested", "agent_started", "tool_executing", "tool_completed", "tool_executing", "tool_completed", "agent_completed"],
            Types(events));
        Assert.Equal("""{"left":1,"right":2}""", events[2].Data.GetProperty("arguments").GetRawText());
        Assert.Equal(events[2].Text("toolCallId"), events[3].Text("toolCallId"));
        Assert.NotEqual(events[2].Text("toolCallId"), events[4].Text("toolCallId"));
        Assert.True(events[3].Data.GetProperty("succeeded").GetBoolean());
        Assert.Equal(3, events[3].Data.GetProperty("result").GetInt32());
        Assert.False(events[5].Data.GetProperty("succeeded").GetBoolean());
        Assert.Equal("full", events[5].Text("error"));
    }

    [Fact]
    public async Task Whatever_a_tool_returns_its_call_is_closed()
    {
        await StartWorkerAsync(async (context, ct) =>
        {
            await context.CallToolAsync("large", null, _ => Task.FromResult(new string('x', 300_000)), ct);
            await context.CallToolAsync("deep", null, _ => Task.FromResult(Nested(60)), ct);
            await context.CallToolAsync("strange", new Unreadable(), _ => Task.FromResult(new Unreadable()), ct);
            await Assert.ThrowsAsync<IOException>(
                () => context.CallToolAsync<int>("loud", null, _ => throw new IOException(new string('x', 300_000)), ct));
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(ct);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => context.CallToolAsync(
                "slow", null, async token =>
                {
                    await bound.CancelAsync();
                    await UntilCancelledAsync(token);
                    return 0;
                }, bound.Token));
        });
        var completed = (await EndsAsync(await AskAsync(), RunStatus.Completed)).Where(e => e.Type == EventTypes.ToolCompleted).ToList();
        Assert.Equal(["large", "deep", "strange", "loud", "slow"], completed.Select(e => e.Text("tool")));
        Assert.All(completed.Take(3), e => Assert.StartsWith("(cannot be shown: ", e.Text("result"), StringComparison.Ordinal));
        Assert.Equal([true, true, true, false, false], completed.Select(e => e.Data.GetProperty("succeeded").GetBoolean()));
    }

    private static object Nested(int depth) => depth == 0 ? "deep" : new[] { Nested(depth - 1) };

    private sealed class Unreadable
    {
        public string Name => throw new InvalidOperationException("no name");
    }
}

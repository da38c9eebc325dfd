using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server: heads locked by others, failures of a whole group, lost commits.</summary>
public sealed class GroupAppendOnPostgres() : GroupAppendCompliance("postgres")
{
    [Fact]
    public async Task A_head_that_someone_holds_delays_nobody_else()
    {
        await AppendAsync(Events.Thinking());
        await AppendAsync(Events.Thinking().By("bob"));

        // Another process's, so that only the database knows.
        await using var stuck = await Two.Database.LockStreamAsync(Alice, Stop);
        var waiting = Enumerable.Range(0, 40).Select(i => AppendAsync(Events.Thinking(run: $"run-{i}"))).ToList();
        for (var i = 0; i < 20; i++)
        {
            await AppendAsync(Events.Thinking(run: $"run-{i}").By("bob"));
            await AppendAsync(Events.Thinking(run: $"run-{i}").By($"newcomer-{i}"));
        }

        Assert.DoesNotContain(waiting, unit => unit.IsCompleted);
        await stuck.DisposeAsync();
        Assert.Equal(40, (await Task.WhenAll(waiting)).Select(result => result.Events[0].Position).Distinct().Count());
    }

    [Fact]
    public async Task A_group_that_fails_as_a_whole_is_done_unit_by_unit()
    {
        await AppendAsync(Events.Thinking());
        await AppendAsync(Events.Thinking().By("bob"));
        var one = Events.Thinking(run: "one");
        await using var block = await BlockAsync();

        // Both writers are held up, so that the next units share a group, in which the same id comes twice.
        var writers = new[] { AppendAsync(Events.Thinking(run: "w-1")), AppendAsync(Events.Thinking(run: "w-2").By("bob")) };
        var first = AppendAsync(one);
        var second = AppendAsync(one with { Run = "two" });
        var other = AppendAsync(Events.Thinking(run: "three").By("bob"));
        await block.DisposeAsync();

        await Task.WhenAll(writers);
        await other;
        var outcomes = new[] { first, second };
        await Eventually.HoldsAsync("both units have an outcome", () => outcomes.All(unit => unit.IsCompleted));
        Assert.Equal(1, outcomes.Count(unit => unit.IsCompletedSuccessfully));
        var refused = Assert.Single(outcomes, unit => unit.IsFaulted);
        Assert.Equal(AppendRejection.IdConflict, (await Assert.ThrowsAsync<AppendRejectedException>(() => refused)).Reason);
    }

    [Fact]
    public async Task A_groups_commit_that_breaks_is_settled_by_its_ids()
    {
        await AppendAsync(Events.Thinking());
        await using var proxy = new CommitCutter(ConnectionString);
        var process = StartProcess(("Persistence:ConnectionString", proxy.ConnectionString));

        var result = await AppendAsync(process, Events.Started("run"), Events.Completed("run"));

        Assert.Equal(1, proxy.Cuts);
        Assert.Equal([2, 3], result.Events.Select(e => e.Position));
        Assert.Equal(3, (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Head);
    }

    private async Task<NpgsqlConnection> BlockAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand("begin; lock table pipeline.event_log in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync(Stop);
        return connection;
    }
}

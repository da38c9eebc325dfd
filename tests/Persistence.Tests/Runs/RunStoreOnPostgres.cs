using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What takes a server whose connections break.</summary>
public sealed class RunStoreOnPostgres() : RunStoreCompliance("postgres")
{
    [Fact]
    public async Task A_connection_that_breaks_in_the_commit_costs_nothing_and_doubles_nothing()
    {
        await BreakNextCommitAsync("agent_run", "insert");

        var created = await CreateRunAsync();

        Assert.Equal([EventTypes.RunRequested], await TypesAsync(Alice, created.Run));
        Assert.Equal(1, await QueryAsync(context => context.Runs.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_cancellation_whose_connection_breaks_is_done_once()
    {
        var created = await CreateRunAsync();
        await BreakNextCommitAsync("agent_run", "update");

        Assert.Equal(RunStatus.Cancelled, (await One.Runs.RequestCancelAsync(Alice, created.Run, Stop))!.Status);
        Assert.Equal([EventTypes.RunRequested, EventTypes.AgentCancelled], await TypesAsync(Alice, created.Run));
    }

    /// <summary>The first transaction that does this to the table dies in its commit.</summary>
    private async Task BreakNextCommitAsync(string table, string action)
    {
        var sql = $"""
            create sequence pipeline.commits;
            create function pipeline.die() returns trigger language plpgsql as
            $$ begin if nextval('pipeline.commits') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if; return null; end $$;
            create constraint trigger die after {action} on pipeline.{table}
            deferrable initially deferred for each row execute function pipeline.die();
            """;
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(sql, Stop));
    }
}

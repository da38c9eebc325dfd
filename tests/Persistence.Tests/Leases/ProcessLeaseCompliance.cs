using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

public sealed class ProcessLeaseOnPostgres() : ProcessLeaseCompliance("postgres");

public sealed class ProcessLeaseOnSqlite() : ProcessLeaseCompliance("sqlite");

public abstract class ProcessLeaseCompliance(string provider) : StoreSuite(provider)
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(15);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    [Fact]
    public async Task A_process_beats_and_knows_the_others()
    {
        using var one = await StartAsync(One);
        using var two = await StartAsync(Two);
        var before = await CounterAsync(One);

        await AdvanceAsync(one, Beat);

        Assert.Equal(before + 1, await CounterAsync(One));
        await Eventually.HoldsAsync("both know both", () => one.Known.Count == 2 && two.Known.Count == 2);
        Assert.Empty(one.Expired);
        await one.StopAsync(Stop);
        await two.StopAsync(Stop);
    }

    [Fact]
    public async Task A_process_says_with_every_beat_whether_it_has_a_relay()
    {
        using var one = await StartAsync(One);
        Assert.Equal([One.Identity.Id], one.Relays);

        One.StopRelay();
        await AdvanceAsync(one, Beat);

        Assert.Empty(one.Relays);
        Assert.Equal([One.Identity.Id], one.Known);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task A_process_that_stops_beating_expires_after_its_lease_and_is_forgotten_after_ten_minutes()
    {
        using var one = await StartAsync(One);
        await AddProcessAsync(Two.Identity.Id);
        await AdvanceAsync(one, Beat, times: 4);
        Assert.Empty(one.Expired);

        await AdvanceAsync(one, Beat);
        Assert.Equal([Two.Identity.Id], one.Expired);

        await AdvanceAsync(one, Beat, times: 39);
        Assert.Contains(Two.Identity.Id, one.Known);
        await AdvanceAsync(one, Beat, times: 2);
        Assert.Equal([One.Identity.Id], one.Known);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task A_process_expires_after_the_lease_that_it_chose_itself()
    {
        using var one = await StartAsync(One);
        await AddProcessAsync(Two.Identity.Id, leaseSeconds: 90);
        await AdvanceAsync(one, Beat, times: 6);
        Assert.Empty(one.Expired);

        await AdvanceAsync(one, Beat);

        Assert.Equal([Two.Identity.Id], one.Expired);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task A_process_that_still_owns_outbox_rows_is_not_forgotten()
    {
        await AddProcessAsync(Two.Identity.Id);
        await OwnRowAsync(Two.Identity.Id);
        using var one = await StartAsync(One);

        await AdvanceAsync(one, Beat, times: 48);

        Assert.Equal([Two.Identity.Id], one.Expired);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task A_row_that_somebody_deleted_comes_back_with_the_next_beat()
    {
        using var one = await StartAsync(One);
        await QueryAsync(context => context.Processes.ExecuteDeleteAsync(Stop));

        await AdvanceAsync(one, Beat);

        Assert.Equal([One.Identity.Id], one.Known);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task A_process_that_stops_takes_its_row_with_it()
    {
        using var one = await StartAsync(One);
        await one.StopAsync(Stop);

        Assert.Equal(0, await QueryAsync(context => context.Processes.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_process_that_stops_with_outbox_rows_left_lets_its_lease_expire()
    {
        using var one = await StartAsync(One);
        await OwnRowAsync(One.Identity.Id);
        await one.StopAsync(Stop);

        Assert.Equal(1, await QueryAsync(context => context.Processes.CountAsync(Stop)));
    }

    [Fact]
    public async Task A_process_waits_for_a_schema_that_is_not_there_yet()
    {
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(
            context.Database.IsNpgsql() ? "alter table pipeline.process rename to away" : "alter table process rename to away", Stop));
        using var one = Create(One);
        await one.StartAsync(Stop);
        _time.Advance(Beat);
        Assert.Empty(one.Known);

        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(
            context.Database.IsNpgsql() ? "alter table pipeline.away rename to process" : "alter table away rename to process", Stop));
        await Eventually.HoldsAsync("it beats", () =>
        {
            _time.Advance(Beat);
            return one.Known.Count == 1;
        });
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task The_agents_of_processes_are_known_until_their_lease_expires()
    {
        using var two = await StartAsync(Two, new KnownAgents(["weaver", "smith"], []));
        using var one = await StartAsync(One);
        Assert.Equal(["smith", "weaver"], one.LiveAgents!.Order());

        await two.StopAsync(Stop);
        await AddProcessAsync(Two.Identity.Id, 15, "weaver");
        await AdvanceAsync(one, Beat, times: 2);

        Assert.Empty(one.LiveAgents!);
        await one.StopAsync(Stop);
    }

    [Fact]
    public async Task Writing_beats_at_once_and_fails_where_the_database_only_reads()
    {
        var lease = Create(One);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => lease.WriteAsync(Stop)));
        Assert.Equal(4, await CounterAsync(One));

        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(
            context.Database.IsNpgsql()
                ? "create function pipeline.no() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$; "
                    + "create trigger no before update on pipeline.process for each row execute function pipeline.no()"
                : "create trigger no before update on process begin select raise(abort, 'disk full'); end",
            Stop));
        await Assert.ThrowsAnyAsync<Exception>(() => lease.WriteAsync(Stop));
    }

    private ProcessLease Create(TestProcess process, KnownAgents? agents = null) => new(
        process.Database, process.Identity, process.Handover, Options.Create(new PersistenceOptions { ProcessLease = 4 * Beat }), _time,
        NullLogger<ProcessLease>.Instance, agents);

    private async Task<ProcessLease> StartAsync(TestProcess process, KnownAgents? agents = null)
    {
        var lease = Create(process, agents);
        await lease.StartAsync(Stop);
        await Eventually.HoldsAsync("the process knows itself", () => lease.Known.Contains(process.Identity.Id));
        return lease;
    }

    /// <summary>Lets time pass beat by beat, each of which was taken in.</summary>
    private async Task AdvanceAsync(ProcessLease lease, TimeSpan by, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            var before = lease.Known;
            _time.Advance(by);
            await Eventually.HoldsAsync("a beat", () => !ReferenceEquals(lease.Known, before));
        }
    }

    private Task<long> CounterAsync(TestProcess process) => QueryAsync(context => context.Processes
        .Where(row => row.Id == process.Identity.Id).Select(row => row.Counter).SingleAsync(Stop));

    private Task<int> AddProcessAsync(Guid id, int leaseSeconds = 60, params string[] agents) => QueryAsync(context =>
    {
        context.Processes.Add(new ProcessRow { Id = id, Counter = 1, LeaseMilliseconds = leaseSeconds * 1_000, Host = "test", Role = "test", Agents = agents });
        return context.SaveChangesAsync(Stop);
    });

    private Task<int> OwnRowAsync(Guid owner) => QueryAsync(context =>
    {
        context.Outbox.Add(new OutboxRow { Owner = owner, Kind = OutboxKind.Events, Payload = "[]", CreatedAt = DateTime.UnixEpoch });
        return context.SaveChangesAsync(Stop);
    });
}

using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>What retention removes, whatever the database.</summary>
public abstract class RetentionCompliance(string provider) : StoreSuite(provider)
{
    internal static DateTime Cutoff { get; } = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1);

    [Fact]
    public async Task The_oldest_prefix_of_each_stream_goes()
    {
        for (var i = 0; i < 3; i++)
        {
            await One.AppendAsync(Events.Thinking());
            await One.AppendAsync(Events.Thinking().By("bob"));
        }

        await AgeAsync(events => events.Where(row => row.Stream == Alice.Value && row.Position != 2));

        Assert.Equal(1, await Trimmer().TrimAsync(Cutoff, Stop));

        var page = await One.Reader.ReadAsync(Alice, 0, 10, int.MaxValue, Stop);
        Assert.Equal((3L, 1L), (page.Head.Head, page.Head.Trimmed));
        Assert.Equal([2, 3], page.Events.Select(e => e.Position));
        Assert.Equal(0, (await One.Reader.ReadHeadsAsync([Bob], Stop))[Bob].Trimmed);
    }

    [Fact]
    public async Task More_events_and_streams_than_one_query_takes_go_in_one_pass()
    {
        await AppendAsync(1_000);
        await AppendAsync(1_000);
        await AppendAsync(100);
        var users = Enumerable.Range(0, 600).Select(i => One.Encoder.Encode(Events.Thinking().By($"u{i}"))).ToList();
        await One.Log.AppendAsync(users, Stop);
        var last = users[^1].Stream.Value;
        await AgeAsync(events => events.Where(row => row.Stream == Alice.Value || row.Stream == last));

        Assert.Equal(2_101, await Trimmer().TrimAsync(Cutoff, Stop));

        Assert.Equal(599, await QueryAsync(context => context.Events.CountAsync(Stop)));
        Assert.Equal(2_100, (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Trimmed);
    }

    [Fact]
    public async Task A_run_goes_with_its_last_event_and_an_open_one_stays()
    {
        await One.AppendAsync(Events.Started("ended"));
        await One.AppendAsync(Events.Completed("ended"));
        await One.AppendAsync(Events.Started("open"));
        await One.AppendAsync(Events.Started("half"));
        await One.AppendAsync(Events.Completed("half"));
        await AgeAsync(events => events.Where(row => row.Position <= 4));

        await Trimmer().TrimAsync(Cutoff, Stop);

        Assert.Equal(["half", "open"], await QueryAsync(context => context.Runs.Select(row => row.Run).Order().ToListAsync(Stop)));
    }

    [Fact]
    public async Task The_service_trims_as_time_goes_by()
    {
        await AppendAsync(3);
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var trimmer = Trimmer(time, TimeSpan.FromHours(1));
        await trimmer.StartAsync(Stop);

        await Eventually.HoldsAsync("all events are old, and trimmed", async () =>
        {
            time.Advance(TimeSpan.FromMinutes(5));
            return (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Trimmed == 3;
        });
        await trimmer.StopAsync(Stop);
    }

    [Fact]
    public async Task While_events_are_appended_nothing_new_goes_and_no_position_is_lost()
    {
        await AppendAsync(1_000);
        await AgeAsync(events => events);
        var appending = Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
            {
                await AppendAsync(1);
            }
        }, Stop);
        await Eventually.HoldsAsync("the old events are trimmed", async () =>
            await Trimmer().TrimAsync(Cutoff, Stop) == 1_000 || await QueryAsync(context => context.Events.AllAsync(row => row.Position > 1_000, Stop)));
        await appending;

        var page = await One.Reader.ReadAsync(Alice, 0, 1_000, int.MaxValue, Stop);
        Assert.Equal((1_050L, 1_000L), (page.Head.Head, page.Head.Trimmed));
        Assert.Equal(Enumerable.Range(1_001, 50).Select(i => (long)i), page.Events.Select(e => e.Position));
    }

    private protected RetentionTrimmer Trimmer() =>
        ActivatorUtilities.CreateInstance<RetentionTrimmer>(One.Get<IServiceProvider>());

    private protected RetentionTrimmer Trimmer(TimeProvider time, TimeSpan retention, MemoryLog<RetentionTrimmer>? log = null) => new(
        One.Database, Options.Create(new PersistenceOptions { Retention = retention }), time, log ?? new MemoryLog<RetentionTrimmer>());

    /// <summary>Makes events older than <see cref="Cutoff"/>.</summary>
    protected Task AgeAsync(Func<IQueryable<EventRow>, IQueryable<EventRow>> which) => QueryAsync(context => which(context.Events)
        .ExecuteUpdateAsync(row => row.SetProperty(e => e.StoredAt, Cutoff.AddHours(-1)), Stop));

    private Task AppendAsync(int count) =>
        One.Log.AppendAsync([.. Enumerable.Range(0, count).Select(_ => One.Encoder.Encode(Events.Thinking()))], Stop);
}

public sealed class RetentionOnSqlite() : RetentionCompliance("sqlite");

public sealed class RetentionOnPostgres() : RetentionCompliance("postgres")
{
    [Fact]
    public async Task A_stream_that_fails_keeps_the_pass_from_no_other()
    {
        await One.AppendAsync(Events.Thinking());
        await One.AppendAsync(Events.Thinking().By("bob"));
        await AgeAsync(events => events);
        await QueryAsync(context => context.Database.ExecuteSqlRawAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
            create trigger refuse before delete on pipeline.event_log for each row
              when (old.stream = '7:default:alice') execute function refuse();
            """,
            Stop));

        Assert.Equal(1, await Trimmer().TrimAsync(Cutoff, Stop));
        Assert.Equal(1, (await One.Reader.ReadHeadsAsync([Bob], Stop))[Bob].Trimmed);
    }
}

/// <summary>Retention while the database is away.</summary>
[Trait("needs", "servers")]
public sealed class RetentionOutageTests() : StoreSuite("postgres")
{
    private PostgresServer? _server;

    protected override async Task<PostgresServer> ServerAsync() => _server = await PostgresServer.StartPrivateAsync();

    protected override async Task RemoveDatabaseAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task An_outage_is_logged_once_and_trimming_goes_on_after_it()
    {
        await One.AppendAsync(Events.Thinking());
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var log = new MemoryLog<RetentionTrimmer>();
        var options = Options.Create(new PersistenceOptions { Retention = TimeSpan.FromHours(1) });
        using var trimmer = new RetentionTrimmer(One.Database, options, time, log);
        await _server!.StopAsync();
        await trimmer.StartAsync(Stop);
        await Eventually.HoldsAsync("several passes fail", () => Passes(time, log, 1));

        await _server.StartAsync();
        await Eventually.HoldsAsync("it works again", () => Passes(time, log, 2));
        await Eventually.HoldsAsync("all events are trimmed", async () =>
            Passes(time, log, 2) && (await One.Reader.ReadHeadsAsync([Alice], Stop))[Alice].Trimmed == 1);

        Assert.False(trimmer.ExecuteTask!.IsCompleted);
        Assert.Equal(["Old events could not be trimmed; every pass tries again", "Old events are trimmed again"], log.Entries.Select(e => e.Text));
        await trimmer.StopAsync(Stop);
    }

    private static bool Passes(FakeTimeProvider time, MemoryLog<RetentionTrimmer> log, int entries)
    {
        time.Advance(TimeSpan.FromMinutes(5));
        return log.Entries.Count >= entries;
    }
}

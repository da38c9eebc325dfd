using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>
/// Keeps this process's lease by beating in the <c>process</c> table, and watches the leases of the others. While the
/// database is away it tries again with every beat; it never stops the host.
/// </summary>
public sealed partial class ProcessLease : BackgroundService
{
    /// <summary>How long an expired process without outbox rows stays in the table, for operators to see.</summary>
    private static readonly TimeSpan KeepExpired = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan GoodbyeTimeout = TimeSpan.FromSeconds(2);

    private readonly PipelineDatabase _database;
    private readonly ProcessIdentity _identity;
    private readonly TimeProvider _time;
    private readonly ILogger<ProcessLease> _logger;
    private readonly OutboxHandover _handover;
    private readonly KnownAgents? _agents;
    private readonly SemaphoreSlim _beating = new(1, 1);
    private readonly TimeSpan _length;
    private readonly LeaseObserver<Guid> _observer;
    private readonly Dictionary<Guid, long> _expiredSince = [];
    private volatile IReadOnlyCollection<Guid> _expired = [];
    private volatile IReadOnlyCollection<Guid> _known = [];
    private volatile IReadOnlyCollection<Guid> _relays = [];
    private volatile IReadOnlyCollection<string>? _liveAgents;

    public ProcessLease(
        PipelineDatabase database, ProcessIdentity identity, OutboxHandover handover, IOptions<PersistenceOptions> options,
        TimeProvider time, ILogger<ProcessLease> logger, KnownAgents? agents = null)
    {
        _handover = handover;
        _database = database;
        _identity = identity;
        _time = time;
        _logger = logger;
        _agents = agents;
        _length = options.Value.ProcessLease;
        _observer = new LeaseObserver<Guid>(time, maxGap: _length / 2);
    }

    /// <summary>Processes whose lease has expired by this process's own observation.</summary>
    public IReadOnlyCollection<Guid> Expired => _expired;

    /// <summary>Processes in the table, this one included, as last read.</summary>
    public IReadOnlyCollection<Guid> Known => _known;

    /// <summary>Those of them that have a relay, which is heard on the bus every second.</summary>
    public IReadOnlyCollection<Guid> Relays => _relays;

    /// <summary>Agents that some process whose lease has not expired can execute, as last read. Null: never read yet.</summary>
    public IReadOnlyCollection<string>? LiveAgents => _liveAgents;

    /// <summary>
    /// Beats now, whatever the period. Returns only where the database takes this process's writes: whoever watches
    /// leases calls it before every look, for a database that can be read but not written stops every holder at once.
    /// </summary>
    /// <exception cref="System.Data.Common.DbException">It does not; alone or inside another exception.</exception>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.CreateContext();
        await WriteAsync(context, cancellationToken);
    }

    public override void Dispose()
    {
        _beating.Dispose();
        base.Dispose();
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var timeout = new CancellationTokenSource(GoodbyeTimeout, _time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await using var context = _database.CreateContext();
            await WithoutOutbox(context).Where(row => row.Id == _identity.Id).ExecuteDeleteAsync(bounded.Token);
        }
        catch (Exception exception)
        {
            LogGoodbyeFailed(_identity.Id, exception);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        using var beat = new PeriodicTimer(_length / 4, _time);
        do
        {
            try
            {
                await BeatAsync(stoppingToken);
                if (failures > 0)
                {
                    LogBeatsAgain(_identity.Id, failures);
                    failures = 0;
                }
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (failures++ == 0)
                {
                    LogBeatFailed(_identity.Id, _length.TotalSeconds, exception);
                }
            }
        }
        while (await NextAsync(beat, stoppingToken));
    }

    private static async Task<bool> NextAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.CreateContext();
        await WriteAsync(context, cancellationToken);
        var rows = await context.Processes.AsNoTracking()
            .Select(row => new { row.Id, row.Counter, row.LeaseMilliseconds, row.HasRelay, row.Agents }).ToListAsync(cancellationToken);
        var now = _time.GetTimestamp();
        var leases = rows.Select(row => new ObservedLease<Guid>(row.Id, row.Counter, TimeSpan.FromMilliseconds(row.LeaseMilliseconds)));
        var expired = _observer.Observe([.. leases]).Where(id => id != _identity.Id).ToFrozenSet();
        _expired = expired;
        _relays = rows.Where(row => row.HasRelay).Select(row => row.Id).ToFrozenSet();
        _liveAgents = rows.Where(row => !expired.Contains(row.Id)).SelectMany(row => row.Agents ?? []).ToFrozenSet(StringComparer.Ordinal);

        // Last: who sees it change finds the rest of the same reading.
        _known = rows.Select(row => row.Id).ToFrozenSet();
        await ForgetAsync(context, expired, now, cancellationToken);
    }

    private async Task WriteAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        // Two at once would both find no row and both add one.
        await _beating.WaitAsync(cancellationToken);
        try
        {
            var beaten = await context.Processes.Where(row => row.Id == _identity.Id)
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.Counter, row => row.Counter + 1).SetProperty(row => row.HasRelay, _handover.HasRelay),
                    cancellationToken);
            if (beaten == 0)
            {
                context.Processes.Add(new ProcessRow
                {
                    Id = _identity.Id, Counter = 1, LeaseMilliseconds = (int)_length.TotalMilliseconds,
                    Host = _identity.Host, Role = _identity.Role, HasRelay = _handover.HasRelay, Agents = _agents?.Names.ToArray(),
                    StartedAt = _time.GetUtcNow().UtcDateTime,
                });
                await context.SaveChangesAsync(cancellationToken);
            }
        }
        finally
        {
            _beating.Release();
        }
    }

    /// <summary>Deletes the rows of processes that are long gone.</summary>
    private async Task ForgetAsync(
        PipelineContext context, FrozenSet<Guid> expired, long now, CancellationToken cancellationToken)
    {
        foreach (var id in _expiredSince.Keys.Where(id => !expired.Contains(id)).ToList())
        {
            _expiredSince.Remove(id);
        }

        foreach (var id in expired)
        {
            _expiredSince.TryAdd(id, now);
        }

        var gone = _expiredSince.Where(entry => _time.GetElapsedTime(entry.Value, now) >= KeepExpired)
            .Select(entry => entry.Key).ToArray();
        if (gone.Length > 0)
        {
            await WithoutOutbox(context).Where(row => gone.Contains(row.Id)).ExecuteDeleteAsync(cancellationToken);
        }
    }

    private static IQueryable<ProcessRow> WithoutOutbox(PipelineContext context) =>
        context.Processes.Where(row => !context.Outbox.Any(owned => owned.Owner == row.Id));

    [LoggerMessage(1300, LogLevel.Warning,
        "Process {Process} cannot renew its lease; others take over its outbox after {Seconds} s. Trying on; check the database")]
    private partial void LogBeatFailed(Guid process, double seconds, Exception exception);

    [LoggerMessage(1301, LogLevel.Information, "Process {Process} renews its lease again after {Failures} failures")]
    private partial void LogBeatsAgain(Guid process, int failures);

    [LoggerMessage(1302, LogLevel.Information, "Process {Process} could not delete its lease when it stopped; it will expire")]
    private partial void LogGoodbyeFailed(Guid process, Exception exception);
}

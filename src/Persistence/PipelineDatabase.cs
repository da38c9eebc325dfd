using System.Data.Common;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>The configured database: contexts and connections of its provider.</summary>
public sealed class PipelineDatabase : IAsyncDisposable
{
    private readonly ProcessIdentity _identity;
    private readonly OutboxHandover _handover;
    private readonly Failpoints _failpoints;

    public PipelineDatabase(
        IOptions<PersistenceOptions> options, ProcessIdentity identity, OutboxHandover handover, Failpoints failpoints, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(identity);
        _identity = identity;
        _handover = handover;
        _failpoints = failpoints;
        var settings = options.Value;
        IsSqlite = settings.IsSqlite;
        Log = IsSqlite
            ? new SqliteLog(settings, time)
            : new PostgresLog(settings, $"{identity.Role}@{identity.Host}", time);
        Gate = new StreamGate(IsSqlite, settings.LockTimeout, time);
    }

    /// <summary>Whether the provider is SQLite; else it is PostgreSQL.</summary>
    public bool IsSqlite { get; }

    internal LogStore Log { get; }

    internal StreamGate Gate { get; }

    /// <summary>A context of the provider, to be disposed.</summary>
    public PipelineContext CreateContext() => Log.CreateContext();

    /// <summary>An open connection, to be disposed.</summary>
    public Task<DbConnection> OpenAsync(CancellationToken cancellationToken) => Log.OpenAsync(cancellationToken);

    /// <summary>
    /// Opens a transaction that has the stream's head locked (creating the head where it is missing) and waits at most the lock timeout. On SQLite the
    /// whole database is locked for writing. The context works inside the transaction; dispose the returned object.
    /// </summary>
    /// <exception cref="TimeoutException">The head stayed locked.</exception>
    public async Task<LockedStream> LockStreamAsync(StreamKey stream, CancellationToken cancellationToken)
    {
        var pass = await Gate.AcquireAsync([stream], cancellationToken);
        return (await OpenLockedAsync(stream, pass, wait: true, cancellationToken))!;
    }

    /// <summary>The same without waiting. Null: the head is locked by someone, or there is none yet.</summary>
    public async Task<LockedStream?> TryLockStreamAsync(StreamKey stream, CancellationToken cancellationToken) =>
        Gate.TryAcquire([stream]) is { } pass
            ? await OpenLockedAsync(stream, pass, wait: false, cancellationToken)
            : null;

    public ValueTask DisposeAsync() => Log.DisposeAsync();

    /// <summary>What to tell who waited in vain; null when that is not what happened.</summary>
    internal TimeoutException? AsTimeout(Exception exception) => Log.Classify(exception) switch
    {
        Failure.LockTimeout => new TimeoutException(
            "A stream's head was locked by another transaction for longer than Persistence:LockTimeout; try again", exception),
        Failure.StatementTimeout => new TimeoutException(
            "A statement of the log ran for longer than Persistence:CommandTimeout and was ended; nothing of it is stored, try again", exception),
        _ => null,
    };

    private async Task<LockedStream?> OpenLockedAsync(StreamKey stream, StreamGate.Pass pass, bool wait, CancellationToken cancellationToken)
    {
        var locked = new LockedStream(Log, _identity, _handover, _failpoints, pass);
        try
        {
            try
            {
                return await locked.OpenAsync(stream, wait, cancellationToken) ? locked : await GiveUpAsync(locked);
            }
            catch (GenerationMovedException moved)
            {
                await locked.RollBackAsync();
                await Log.RaiseGenerationAsync(moved, cancellationToken);
                return await locked.OpenAsync(stream, wait, cancellationToken) ? locked : await GiveUpAsync(locked);
            }
        }
        catch (Exception exception)
        {
            await locked.DisposeAsync();
            if (AsTimeout(exception) is { } timeout)
            {
                throw timeout;
            }

            throw;
        }
    }

    private static async Task<LockedStream?> GiveUpAsync(LockedStream locked)
    {
        await locked.DisposeAsync();
        return null;
    }
}

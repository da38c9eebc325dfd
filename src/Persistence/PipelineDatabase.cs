using System.Data.Common;

namespace Pipeline.Persistence;

/// <summary>The configured database: contexts and connections of its provider.</summary>
public sealed class PipelineDatabase
{
    /// <summary>A context of the provider, to be disposed.</summary>
    public PipelineContext CreateContext() => throw new NotImplementedException();

    /// <summary>An open connection, to be disposed.</summary>
    public Task<DbConnection> OpenAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Opens a transaction that has the stream's head locked (creating the head where it is missing) and waits at most the lock timeout. On SQLite the
    /// whole database is locked for writing. The context works inside the transaction; dispose the returned object.
    /// </summary>
    public Task<LockedStream> LockStreamAsync(Contracts.StreamKey stream, CancellationToken cancellationToken) => throw new NotImplementedException();
}

/// <summary>A transaction under one stream's head lock. Disposed without <see cref="CommitAsync"/>: rolled back.</summary>
public sealed class LockedStream : IAsyncDisposable
{
    /// <summary>Works inside the transaction.</summary>
    public PipelineContext Context => throw new NotImplementedException();

    /// <summary>As read under the lock.</summary>
    public StreamHead Head => throw new NotImplementedException();

    /// <summary>Appends inside the transaction; the outbox row is this process's own.</summary>
    /// <exception cref="AppendRejectedException">Refused; the transaction can only be rolled back.</exception>
    public Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> events, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Adds a command to the outbox, this process's own.</summary>
    public void AddCommand(object command) => throw new NotImplementedException();

    /// <summary>Saves the context, commits and hands over to this process's relay.</summary>
    public Task CommitAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>A transaction under one stream's head lock. Disposed without <see cref="CommitAsync"/>: rolled back.</summary>
public sealed class LockedStream : IAsyncDisposable
{
    private readonly LogStore _log;
    private readonly ProcessIdentity _identity;
    private readonly OutboxHandover _handover;
    private readonly Failpoints _failpoints;
    private readonly StreamGate.Pass _pass;
    private readonly List<CommittedBatch> _batches = [];
    private readonly List<(OutboxRow Row, CommittedCommand Command)> _commands = [];
    private DbConnection? _connection;
    private DbTransaction? _transaction;
    private PipelineContext? _context;
    private StreamKey _stream;
    private StreamHead _head;

    internal LockedStream(
        LogStore log, ProcessIdentity identity, OutboxHandover handover, Failpoints failpoints, StreamGate.Pass pass)
    {
        _log = log;
        _identity = identity;
        _handover = handover;
        _failpoints = failpoints;
        _pass = pass;
    }

    /// <summary>Works inside the transaction.</summary>
    public PipelineContext Context => _context ?? throw new ObjectDisposedException(nameof(LockedStream));

    /// <summary>As read under the lock; not moved by <see cref="AppendAsync"/>.</summary>
    public StreamHead Head => _head;

    /// <summary>
    /// Saves the context, so that the run's row is there, and appends inside the transaction; the outbox row is this
    /// process's own. Entities of the context are not refreshed: the append moves a run's last sequence, lease counter and,
    /// at its end, status by itself.
    /// </summary>
    /// <exception cref="AppendRejectedException">Refused; the transaction can only be rolled back.</exception>
    /// <exception cref="ArgumentException">An event is of another stream, whose head is not locked here.</exception>
    public async Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> events, CancellationToken cancellationToken)
    {
        AppendShape.Check(events);
        if (events.FirstOrDefault(e => e.Stream != _stream) is { } foreign)
        {
            throw new ArgumentException($"Event {foreign.Id} is of another stream than the locked one; lock its own", nameof(events));
        }

        await Context.SaveChangesAsync(cancellationToken);
        var mode = new AppendMode(Wait: true, _handover.OwnerIn(_identity), Own: true);
        var stored = await _log.AppendAsync(_transaction!, [events], mode, cancellationToken);
        if (stored.Batch is { } batch)
        {
            _batches.Add(batch);
        }

        return stored.Units[0].ResultOrThrow();
    }

    /// <summary>Adds a command to the outbox, this process's own.</summary>
    /// <param name="command"><see cref="StartRun"/> or <see cref="CancelRun"/>.</param>
    public void AddCommand(object command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var described = OutboxPayload.Describe(command);
        var row = new OutboxRow { Owner = _handover.OwnerIn(_identity), Kind = OutboxKind.Command, Payload = OutboxPayload.Write(described) };
        Context.Outbox.Add(row);
        _commands.Add((row, described));
    }

    /// <summary>Saves the context, commits and hands over to this process's relay.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await Context.SaveChangesAsync(cancellationToken);
        _failpoints.Hit(Failpoints.InTransaction);

        // A COMMIT that was sent is waited for: cancelling it would only hide its outcome.
        await _transaction!.CommitAsync(CancellationToken.None);
        _failpoints.Hit(Failpoints.AfterCommitBeforePublish);
        foreach (var batch in _batches)
        {
            _handover.TryOffer(batch);
        }

        foreach (var (row, command) in _commands)
        {
            _handover.TryOffer(new CommittedBatch(row.Id, Head.Generation, [], command));
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await RollBackAsync();
        }
        finally
        {
            _pass.Dispose();
        }
    }

    internal async Task<bool> OpenAsync(StreamKey stream, bool wait, CancellationToken cancellationToken)
    {
        _stream = stream;
        _connection = await _log.OpenAsync(cancellationToken);
        _transaction = await _connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);
        if (await _log.LockAsync(_transaction, stream, wait, cancellationToken) is not { } head)
        {
            return false;
        }

        _head = head;
        _context = _log.CreateContext();
        _context.Database.SetDbConnection(_connection, contextOwnsConnection: false);
        await _context.Database.UseTransactionAsync(_transaction, cancellationToken);
        return true;
    }

    internal async Task RollBackAsync()
    {
        // Each is let go of, whatever becomes of the one before: a broken connection may throw at its rollback.
        await using var connection = _connection;
        await using var transaction = _transaction;
        await using var context = _context;
        (_connection, _transaction, _context) = (null, null, null);
    }
}

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Persistence;

/// <summary>
/// Group append: units that come while a transaction is under way share the next one. Each unit is stored whole or not at all,
/// whatever becomes of the units beside it. A unit holds its streams' gates, so that a stream has one unit in flight and units
/// of one stream keep their order; one whose head is missing or locked by another process goes alone and waits there.
/// </summary>
internal sealed partial class GroupAppender(
    PipelineDatabase database, AppendRunner runner, IOptions<PersistenceOptions> options, TimeProvider time,
    ILogger<GroupAppender> logger) : IAsyncDisposable
{
    /// <summary>Groups written at a time.</summary>
    public const int Writers = 2;

    private const int GroupEvents = 500;
    private const long GroupBytes = 4L * 1024 * 1024;

    // Units that go alone, each with a connection: so many streams must be stuck before another one has to wait.
    private const int Alone = 32;

    private readonly int _mostWriters = database.IsSqlite ? 1 : Writers;
    private readonly ILogger _logger = logger;
    private readonly Lock _lock = new();
    private readonly Queue<Pending> _queue = new();
    private readonly SemaphoreSlim _alone = new(Alone);
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inFlight;
    private int _writers;
    private bool _isClosed;

    /// <param name="cancellationToken">Ends the waiting; the unit may still be stored. Repeat it with the same ids.</param>
    /// <exception cref="AppendRejectedException">The log refused this unit.</exception>
    /// <exception cref="TimeoutException">The stream stayed locked.</exception>
    /// <exception cref="CommitOutcomeUnknownException">The outcome could not be found out; repeat with the same ids.</exception>
    public Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        AppendShape.Check(unit);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            _inFlight++;
        }

        return AppendEnteredAsync(unit, cancellationToken).WaitAsync(cancellationToken);
    }

    /// <summary>Takes no more units and waits for those in flight.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _isClosed = true;
            if (_inFlight == 0)
            {
                _idle.TrySetResult();
            }
        }

        await _idle.Task;
        _alone.Dispose();
    }

    private async Task<AppendResult> AppendEnteredAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        try
        {
            using var pass = await database.Gate.AcquireStreamsAsync(unit.Select(e => e.Stream), cancellationToken);
            var pending = new Pending(unit);
            Enqueue(pending);
            return await pending.Done.Task ?? await AppendAloneAsync(unit);
        }
        finally
        {
            Leave();
        }
    }

    private void Enqueue(Pending pending)
    {
        lock (_lock)
        {
            _queue.Enqueue(pending);
            if (_writers == _mostWriters)
            {
                return;
            }

            _writers++;
        }

        // Owned by the units it writes: who appended them awaits each. It belongs to nobody's trace.
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(WriteAsync, CancellationToken.None);
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_inFlight == 0 && _isClosed)
            {
                _idle.TrySetResult();
            }
        }
    }

    private async Task WriteAsync()
    {
        while (TakeGroup() is { } group)
        {
            await WriteAsync(group);

            // Those who were answered come first: what they append at once is in the next group, which else would be tiny.
            await Task.Yield();
        }
    }

    /// <summary>Null ends the writer, under the same lock that starts one.</summary>
    private List<Pending>? TakeGroup()
    {
        lock (_lock)
        {
            var group = new List<Pending>();
            var (events, bytes) = (0, 0L);
            while (_queue.TryPeek(out var next)
                && (group.Count == 0 || (events + next.Unit.Count <= GroupEvents && bytes + next.Bytes <= GroupBytes)))
            {
                group.Add(_queue.Dequeue());
                events += next.Unit.Count;
                bytes += next.Bytes;
            }

            if (group.Count == 0)
            {
                _writers--;
                return null;
            }

            return group;
        }
    }

    private async Task WriteAsync(List<Pending> group)
    {
        try
        {
            var stored = await WriteInTurnAsync([.. group.Select(pending => pending.Unit)]);
            for (var i = 0; i < group.Count; i++)
            {
                group[i].Finish(stored.Units[i]);
            }
        }
        catch (FailpointException exception)
        {
            group.ForEach(pending => pending.Done.TrySetException(exception));
        }
        catch (Exception exception)
        {
            // Whatever it was, a lost COMMIT included: alone, each unit meets its own outcome, by its ids.
            LogFallback(group.Count, exception);
            group.ForEach(pending => pending.Done.TrySetResult(null));
        }
    }

    // The turn is over before anybody is answered: who is, finds nothing held.
    private async Task<StoredAppend> WriteInTurnAsync(IReadOnlyList<NewEvent>[] units)
    {
        using var turn = await database.Gate.AcquireDatabaseAsync(CancellationToken.None);
        return await runner.OnceAsync(units, wait: false, CancellationToken.None);
    }

    private async Task<AppendResult> AppendAloneAsync(IReadOnlyList<NewEvent> unit)
    {
        using var bound = new CancellationTokenSource(options.Value.LockTimeout, time);
        try
        {
            await _alone.WaitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException(
                $"{Alone} other streams of this process are locked by other transactions, and stayed so for longer than Persistence:LockTimeout ({options.Value.LockTimeout:c}); try again");
        }

        try
        {
            using var turn = await database.Gate.AcquireDatabaseAsync(CancellationToken.None);
            return await runner.AppendAsync(unit, CancellationToken.None);
        }
        finally
        {
            _alone.Release();
        }
    }

    [LoggerMessage(1120, LogLevel.Warning, "A group append of {Count} units failed; each goes alone")]
    private partial void LogFallback(int count, Exception exception);

    private sealed class Pending(IReadOnlyList<NewEvent> unit)
    {
        public IReadOnlyList<NewEvent> Unit => unit;

        public long Bytes { get; } = unit.Sum(e => (long)e.Body.Length);

        /// <summary>Null: the unit is to go alone.</summary>
        public TaskCompletionSource<AppendResult?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Finish(UnitOutcome outcome)
        {
            if (outcome.Rejection is { } rejection)
            {
                Done.TrySetException(rejection);
            }
            else
            {
                Done.TrySetResult(outcome.Appended);
            }
        }
    }
}

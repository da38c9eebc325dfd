using Microsoft.Extensions.Logging;

namespace Pipeline.Persistence;

/// <summary>
/// Group append: the events of many runs in few transactions. One call is one unit: all of its events or none, whatever
/// becomes of the units it shares a transaction with. At most one unit a run may be in flight.
/// </summary>
public sealed partial class RunAppender : IAsyncDisposable
{
    private const int Writers = 2;
    private const int BatchEvents = 500;

    // Units that go alone, each with a connection. A stream takes one at most, so this many streams must be stuck before
    // another one has to wait.
    private const int Alone = 32;

    private readonly PipelineDatabase _database;
    private readonly AppendRunner _runner;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Queue<Pending> _queue = new();
    private readonly HashSet<RunKey> _inFlight = [];
    private readonly HashSet<Task> _work = [];
    private readonly SemaphoreSlim _alone = new(Alone);
    private int _writers;
    private bool _isClosed;

    internal RunAppender(PipelineDatabase database, AppendRunner runner, ILogger<RunAppender> logger)
    {
        _database = database;
        _runner = runner;
        _logger = logger;
    }

    /// <param name="unit">Events of one or more runs.</param>
    /// <param name="cancellationToken">Ends the waiting; the unit may still be stored. Repeat it with the same ids.</param>
    /// <exception cref="AppendRejectedException">The log refused this unit.</exception>
    /// <exception cref="InvalidOperationException">A unit of the same run is in flight.</exception>
    /// <exception cref="TimeoutException">The stream stayed locked.</exception>
    /// <exception cref="CommitOutcomeUnknownException">The outcome could not be found out; repeat with the same ids.</exception>
    public Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
    {
        AppendShape.Check(unit);
        cancellationToken.ThrowIfCancellationRequested();
        var pending = new Pending(unit);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (pending.Runs.FirstOrDefault(_inFlight.Contains) is { Run: not null } busy)
            {
                throw new InvalidOperationException($"Run '{busy.Run}' has a unit in flight; await it before the next, or their order is lost");
            }

            _inFlight.UnionWith(pending.Runs);
            _queue.Enqueue(pending);
            if (_writers < Writers)
            {
                _writers++;
                Own(Task.Run(WriteAsync, CancellationToken.None));
            }
        }

        return pending.Done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Takes no more units and waits for those in flight.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _isClosed = true;
        }

        for (var work = Working(); work.Length > 0; work = Working())
        {
            await Task.WhenAll(work);
        }

        _alone.Dispose();
    }

    private async Task WriteAsync()
    {
        while (TakeBatch() is { } batch)
        {
            await WriteBatchAsync(batch);
        }
    }

    /// <summary>Null ends the writer, under the same lock that starts one.</summary>
    private List<Pending>? TakeBatch()
    {
        lock (_lock)
        {
            var batch = new List<Pending>();
            var events = 0;
            while (_queue.TryPeek(out var next) && (batch.Count == 0 || events + next.Unit.Count <= BatchEvents))
            {
                batch.Add(_queue.Dequeue());
                events += next.Unit.Count;
            }

            if (batch.Count == 0)
            {
                _writers--;
                return null;
            }

            return batch;
        }
    }

    private async Task WriteBatchAsync(List<Pending> batch)
    {
        var together = new List<Pending>();
        var passes = new List<StreamGate.Pass>();
        var held = new HashSet<Contracts.StreamKey>();
        try
        {
            foreach (var pending in batch)
            {
                var needed = pending.Streams.Where(stream => !held.Contains(stream)).ToList();
                if (needed.Count == 0 || (_database.Gate.IsSingle && passes.Count > 0))
                {
                    together.Add(pending);
                }
                else if (_database.Gate.TryAcquire(needed) is { } pass)
                {
                    passes.Add(pass);
                    held.UnionWith(needed);
                    together.Add(pending);
                }
                else
                {
                    GoAlone(pending);
                }
            }

            if (together.Count > 0)
            {
                await WriteTogetherAsync(together);
            }
        }
        finally
        {
            passes.ForEach(pass => pass.Dispose());
        }
    }

    private async Task WriteTogetherAsync(List<Pending> together)
    {
        try
        {
            var stored = await _runner.OnceAsync([.. together.Select(pending => pending.Unit)], wait: false, CancellationToken.None);
            foreach (var (pending, outcome) in together.Zip(stored.Units))
            {
                if (outcome.Skipped)
                {
                    GoAlone(pending);
                }
                else
                {
                    Finish(pending, outcome.Result, outcome.Rejection);
                }
            }
        }
        catch (Exception exception)
        {
            // Whatever it was, a lost COMMIT included: alone, each unit meets its own outcome, by its ids.
            LogFallback(together.Count, exception);
            together.ForEach(GoAlone);
        }
    }

    private void GoAlone(Pending pending)
    {
        lock (_lock)
        {
            Own(Task.Run(() => WriteAloneAsync(pending), CancellationToken.None));
        }
    }

    private async Task WriteAloneAsync(Pending pending)
    {
        try
        {
            Finish(pending, await _runner.AppendAsync(pending.Unit, _alone, CancellationToken.None), null);
        }
        catch (Exception exception)
        {
            Finish(pending, null, exception);
        }
    }

    private void Finish(Pending pending, AppendResult? result, Exception? problem)
    {
        // First the run, then its caller, who may come with the next unit at once.
        Release(pending);
        if (problem is null)
        {
            pending.Done.TrySetResult(result!);
        }
        else
        {
            pending.Done.TrySetException(problem);
        }
    }

    private void Release(Pending pending)
    {
        lock (_lock)
        {
            _inFlight.ExceptWith(pending.Runs);
        }
    }

    /// <summary>Under the lock.</summary>
    private void Own(Task work)
    {
        _work.Add(work);
        _ = work.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Forget(Task work)
    {
        lock (_lock)
        {
            _work.Remove(work);
        }
    }

    private Task[] Working()
    {
        lock (_lock)
        {
            return [.. _work];
        }
    }

    [LoggerMessage(1120, LogLevel.Warning, "A group append of {Count} units failed; each goes alone")]
    private partial void LogFallback(int count, Exception exception);

    private sealed class Pending(IReadOnlyList<NewEvent> unit)
    {
        public IReadOnlyList<NewEvent> Unit { get; } = unit;
        public IReadOnlyList<RunKey> Runs { get; } = [.. unit.Select(e => new RunKey(e.Stream, e.Run)).Distinct()];
        public IReadOnlyList<Contracts.StreamKey> Streams { get; } = [.. unit.Select(e => e.Stream).Distinct()];
        public TaskCompletionSource<AppendResult> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

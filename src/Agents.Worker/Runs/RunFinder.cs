using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Finds queued runs in the order in which they were requested. Looks once a scan interval, and at once when there is
/// room again for what did not fit before.
/// </summary>
internal sealed class RunFinder
{
    private const int LookAhead = 64;
    private const int MostFailures = 3;

    private readonly RunSlots _slots;
    private readonly RunClaims _runs;
    private readonly TimeProvider _time;
    private readonly TimeSpan _interval;
    private TaskCompletionSource _woken = NewSignal();
    private volatile bool _hasBacklog;

    public RunFinder(RunSlots slots, RunClaims runs, IOptions<WorkerOptions> options, TimeProvider time)
    {
        _slots = slots;
        _runs = runs;
        _time = time;
        _interval = options.Value.ScanInterval;
        slots.Freed += () =>
        {
            if (_hasBacklog)
            {
                Wake();
            }
        };
    }

    /// <summary>The last look left runs behind for want of room: a new one has to wait its turn.</summary>
    public bool HasBacklog => _hasBacklog;

    public void Wake() => Volatile.Read(ref _woken).TrySetResult();

    /// <summary>Waits for the next look to be due.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        await _woken.Task.WaitAsync(_interval, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Volatile.Write(ref _woken, NewSignal());
    }

    /// <summary>One look: claims what fits.</summary>
    public async Task FindAsync(CancellationToken cancellationToken)
    {
        if (_slots.Free == 0)
        {
            _hasBacklog = true;
            return;
        }

        // More than fit: a few whose streams are locked must not hide the others.
        var found = await _runs.FindQueuedAsync(_slots.Free + LookAhead, cancellationToken);
        var failures = new List<Exception>();
        var tried = 0;
        while (tried < found.Count && _slots.Free > 0 && failures.Count < MostFailures)
        {
            try
            {
                await _slots.TryClaimAsync(found[tried++]);
            }
            catch (Exception exception)
            {
                failures.Add(exception.GetBaseException());
            }
        }

        _hasBacklog = tried < found.Count && _slots.Free == 0;
        if (failures.Count > 0)
        {
            throw new AggregateException(failures);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

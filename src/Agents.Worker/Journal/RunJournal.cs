using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Writes one attempt's events: one append at a time (<see cref="RunAppends"/>), each as last + 1. Thread-safe.
/// </summary>
internal sealed partial class RunJournal : IAsyncDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly CancellationTokenSource _closed = new();
    private readonly Lock _flushLock = new();
    private readonly ClaimedRun _claim;
    private readonly EventEncoder _encoder;
    private readonly RunAppends _appends;
    private readonly TextCoalescer _text;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _tenant;
    private readonly string _user;
    private bool _sealed;
    private bool _flushScheduled;
    private Task _flush = Task.CompletedTask;

    public RunJournal(
        ClaimedRun claim, EventEncoder encoder, AppendUnit append, TextCoalescer text, TimeProvider time, ILogger logger)
    {
        _claim = claim;
        _encoder = encoder;
        _appends = new RunAppends(claim, append, time, logger);
        _text = text;
        _time = time;
        _logger = logger;
        (_tenant, _user) = claim.Key.Stream.Split();
    }

    public long LastSequence => _appends.Last;

    /// <summary>Cancelled once the run is known to be another's, or ended by another.</summary>
    public CancellationToken Lost => _appends.Lost;

    /// <summary>Nothing is written any more; what is being written is given up.</summary>
    public void MarkLost() => _appends.MarkLost();

    /// <summary>Writes what waits of the streamed text, then the event. Durable on return.</summary>
    public Task WriteAsync(AgentEvent @event, CancellationToken cancellationToken) => WriteInTurnAsync(@event, cancellationToken);

    /// <summary>Takes a piece of streamed text in; writes it now or within the coalescing interval.</summary>
    public async Task StreamAsync(TextKind kind, string text, CancellationToken cancellationToken)
    {
        ThrowIfClosed(final: false);
        cancellationToken.ThrowIfCancellationRequested();
        if (string.IsNullOrEmpty(text))
        {
            return;
        }

        var wait = _text.Add(kind, text);
        if (wait > TimeSpan.Zero)
        {
            ScheduleFlush(wait);
            return;
        }

        await WriteInTurnAsync(null, cancellationToken);
    }

    /// <summary>
    /// Writes what waits, then has <paramref name="commit"/> append the events together with changes of the agent's own.
    /// Unlike a write it is awaited to its end, for the agent's context is in use, and it is not repeated here.
    /// </summary>
    public async Task CommitAsync(
        IReadOnlyList<AgentEvent> events, Func<IReadOnlyList<AgentEvent>, CancellationToken, Task<AppendResult>> commit,
        CancellationToken cancellationToken)
    {
        await UnlessLostAsync(_gate.WaitAsync(cancellationToken));
        try
        {
            ThrowIfClosed(final: false);
            await _appends.AppendAsync([.. _text.Drain(final: true).Select(Encode)]);

            // The log gives the sequences: an event that an earlier attempt has committed keeps its own.
            await _appends.OnceAsync(token => commit([.. events.Select(e => Fill(e) with { Sequence = 0 })], token), cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Writes what waits and the terminal event; later writes throw <see cref="RunLostException"/>.</summary>
    public async Task EndAsync(AgentEvent terminal)
    {
        await SealAsync();
        await _gate.WaitAsync(CancellationToken.None);
        await WriteHeldAsync(terminal, final: true);
    }

    /// <summary>Waits for a write under way, then refuses every further one but the end.</summary>
    public async Task SealAsync()
    {
        await _gate.WaitAsync(CancellationToken.None);
        _sealed = true;
        _gate.Release();
    }

    public async ValueTask DisposeAsync()
    {
        await SealAsync();
        await _closed.CancelAsync();
        await _flush;

        // The sources and the gate own no handle, and a stray task of the agent may still come to be refused here.
    }

    private async Task WriteInTurnAsync(AgentEvent? @event, CancellationToken cancellationToken)
    {
        await UnlessLostAsync(_gate.WaitAsync(cancellationToken));

        // A cancelled agent stops waiting; the append goes on to its known outcome and holds the gate until then.
        await UnlessLostAsync(WriteHeldAsync(@event, final: false).WaitAsync(cancellationToken));
    }

    /// <summary>The loss of the run cancels its agent too, and is what the agent is to be told.</summary>
    private async Task UnlessLostAsync(Task waiting)
    {
        try
        {
            await waiting;
        }
        catch (OperationCanceledException)
        {
            _appends.ThrowIfLost();
            throw;
        }
    }

    private async Task WriteHeldAsync(AgentEvent? @event, bool final)
    {
        try
        {
            ThrowIfClosed(final);
            var text = _text.Drain(final || @event is not null).Select(Encode).ToList();
            try
            {
                await _appends.AppendAsync(@event is null ? text : [.. text, Encode(@event, text.Count)]);
            }
            catch (Exception exception) when (exception is InvalidEventException or AppendRejectedException && text.Count > 0)
            {
                // The event is refused alone.
                await _appends.AppendAsync(text);
                throw;
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private NewEvent Encode(AgentEvent @event, int index) => _encoder.EncodeNumbered(Fill(@event) with { Sequence = 0 }, LastSequence + 1 + index);

    private AgentEvent Fill(AgentEvent @event) => @event with
    {
        Tenant = _tenant,
        User = _user,
        Thread = _claim.Thread,
        Run = _claim.Key.Run,
        Attempt = _claim.Attempt,
    };

    private void ScheduleFlush(TimeSpan wait)
    {
        lock (_flushLock)
        {
            if (_flushScheduled)
            {
                return;
            }

            _flushScheduled = true;
            _flush = FlushLaterAsync(_flush, wait);
        }
    }

    private async Task FlushLaterAsync(Task previous, TimeSpan wait)
    {
        try
        {
            await Task.Delay(wait, _time, _closed.Token);
            await _gate.WaitAsync(_closed.Token);

            // Cleared before the text is drained: a piece that comes now is drained here or schedules anew.
            lock (_flushLock)
            {
                _flushScheduled = false;
            }

            await WriteHeldAsync(null, final: false);
        }
        catch (OperationCanceledException)
        {
            // Closed, or lost: the next call of the agent says so.
        }
        catch (Exception exception)
        {
            LogFlushFailed(exception, _claim.Key.Run);
        }

        await previous;
    }

    private void ThrowIfClosed(bool final)
    {
        _appends.ThrowIfLost();
        if (_sealed && !final)
        {
            throw new RunLostException($"Attempt {_claim.Attempt} at run {_claim.Key.Run} is over: nothing more can be written");
        }
    }

    [LoggerMessage(3011, LogLevel.Error, "Streamed text of run {Run} could not be written and is lost; its whole message still comes")]
    private partial void LogFlushFailed(Exception exception, string run);
}

using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Agents.Worker;

/// <summary>
/// One attempt at one run, as its agent sees it. Every method that writes returns when what it wrote is durable (the
/// person sees it from then on), waits while the database is away, and may be called from several threads: events take
/// their order from the calls. Once the run is lost or ended, each throws <see cref="RunLostException"/>.
/// </summary>
public sealed class AgentRunContext
{
    private readonly ActiveRun _run;
    private readonly RunHistory _history;
    private readonly EventLog _log;
    private int _toolCalls;

    internal AgentRunContext(ActiveRun run, RunHistory history, EventLog log)
    {
        _run = run;
        _history = history;
        _log = log;
        (Tenant, User) = run.Claim.Key.Stream.Split();
    }

    /// <summary>The person's tenant.</summary>
    public string Tenant { get; }

    /// <summary>Who asked, and alone sees the events.</summary>
    public string User { get; }

    /// <summary>The conversation the run belongs to.</summary>
    public string Thread => _run.Claim.Thread;

    /// <summary>The run.</summary>
    public string Run => _run.Claim.Key.Run;

    /// <summary>What the person asked, as typed.</summary>
    public string Input => _run.Claim.Input;

    /// <summary>1 for the first execution of the run; higher when an earlier one was lost or stopped.</summary>
    public int Attempt => _run.Claim.Attempt;

    /// <summary>The run's last durable event so far; counts events of earlier attempts too.</summary>
    public long LastSequence => _run.Journal.LastSequence;

    /// <summary>
    /// Short summary or final answer that <c>agent_completed</c> shall carry; null (default) when the messages already
    /// said it.
    /// </summary>
    public string? Result { get; set; }

    /// <summary>
    /// Appends an event as the run's next. Its envelope (user, thread, run, sequence, attempt, time if null) is filled
    /// in; its id is kept.
    /// </summary>
    /// <exception cref="ArgumentException">The type is one that the worker writes: the run's request, start or end.</exception>
    /// <exception cref="InvalidEventException">The event is too large, or a field is wrong. Nothing was appended.</exception>
    /// <exception cref="RunLostException">The run has ended or is another worker's.</exception>
    public Task EmitAsync(AgentEvent @event, CancellationToken cancellationToken)
    {
        RefuseLifecycle(@event);
        return _run.Journal.WriteAsync(@event, cancellationToken);
    }

    /// <summary>
    /// Saves the agent's own changes and appends events of this run in one transaction: both are there, or neither. The
    /// envelopes are filled in as by <see cref="EmitAsync"/>, and a run that was lost saves nothing. Not repeated: after an
    /// exception the agent may save again, or throw.
    /// </summary>
    /// <param name="db">A context of the agent's own on the pipeline's database, without a transaction.</param>
    /// <param name="events">One at least.</param>
    /// <param name="cancellationToken">Rolls back what is not being committed yet.</param>
    /// <exception cref="ArgumentException">No events, or one of a type that the worker writes.</exception>
    /// <exception cref="InvalidEventException">An event is too large, or a field is wrong. Nothing was saved.</exception>
    /// <exception cref="DbUpdateException">The changes were refused. No event was appended.</exception>
    /// <exception cref="CommitOutcomeUnknownException">
    /// The connection was lost in the commit and the log cannot be asked. The run is given up here and goes on, or ends,
    /// when its lease expires.
    /// </exception>
    /// <exception cref="RunLostException">The run has ended or is another worker's. Nothing was saved.</exception>
    public Task CommitAsync(DbContext db, IReadOnlyList<AgentEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(events);
        if (events.Count == 0)
        {
            throw new ArgumentException("There are no events; without one nothing tells whether the run is still this worker's", nameof(events));
        }

        foreach (var @event in events)
        {
            RefuseLifecycle(@event);
        }

        return _run.Journal.CommitAsync(events, (filled, token) => _log.CommitAsync(db, filled, token), cancellationToken);
    }

    /// <summary>Shows a whole thought.</summary>
    public Task ThinkAsync(string text, CancellationToken cancellationToken) =>
        EmitAsync(new AgentThinking { Text = text }, cancellationToken);

    /// <summary>Streams a piece of a thought: it continues the pieces before it. Joined and written as <see cref="MessageDeltaAsync"/> says.</summary>
    public Task ThinkDeltaAsync(string text, CancellationToken cancellationToken) =>
        _run.Journal.StreamAsync(TextKind.Thinking, text, cancellationToken);

    /// <summary>Says something whole. It replaces the pieces streamed since the last whole message.</summary>
    public Task MessageAsync(string text, CancellationToken cancellationToken) =>
        EmitAsync(new AgentMessage { Text = text }, cancellationToken);

    /// <summary>
    /// Streams a piece of a message. Pieces are joined, those of thoughts and of messages each for themselves, so that a run writes at most
    /// <see cref="WorkerOptions.DeltasPerSecond"/> events a second however small they come; what waits is written
    /// before any other event and at the end. So this may return before the piece is durable. Finish with
    /// <see cref="MessageAsync"/> and the whole text: it is what stays.
    /// </summary>
    public Task MessageDeltaAsync(string text, CancellationToken cancellationToken) =>
        _run.Journal.StreamAsync(TextKind.Message, text, cancellationToken);

    /// <summary>
    /// Calls a tool and shows it: <c>tool_executing</c> with the arguments before, <c>tool_completed</c> with the result
    /// or the exception's message after, also where the call's own token was cancelled. Arguments or a result that cannot be
    /// shown, for instance too large ones, are replaced by a note. Only where the run itself is over, its end closes the call.
    /// </summary>
    /// <param name="tool">Name of the tool.</param>
    /// <param name="arguments">Written as JSON with camel-case names; null for none.</param>
    /// <param name="call">The work itself.</param>
    /// <returns>What the tool returned.</returns>
    /// <exception cref="Exception">What the tool threw, after it was shown.</exception>
    public async Task<T> CallToolAsync<T>(
        string tool, object? arguments, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        var id = $"{Attempt}.{Interlocked.Increment(ref _toolCalls)}";
        await ShowAsync(
            arguments, shown => new ToolExecuting { ToolCallId = id, Tool = tool, Arguments = shown }, cancellationToken);
        T result;
        try
        {
            result = await call(cancellationToken);
        }
        catch (Exception exception) when (!_run.Token.IsCancellationRequested)
        {
            var error = ErrorText.Shorten(exception.Message);
            await EmitAsync(new ToolCompleted { ToolCallId = id, Tool = tool, Succeeded = false, Error = error }, _run.Token);
            throw;
        }

        await ShowAsync(
            result, shown => new ToolCompleted { ToolCallId = id, Tool = tool, Succeeded = true, Result = shown }, _run.Token);
        return result;
    }

    /// <summary>
    /// The run's events so far, oldest first, those of earlier attempts included: what a resuming agent needs to see how
    /// far an earlier attempt came. Ends with the last event that was durable at the call.
    /// </summary>
    /// <exception cref="System.Data.Common.DbException">The log can't be read now.</exception>
    public IAsyncEnumerable<AgentEvent> ReadHistoryAsync(CancellationToken cancellationToken) =>
        _history.ReadAsync(_run.Claim, LastSequence, cancellationToken);

    private async Task ShowAsync(object? value, Func<JsonElement?, AgentEvent> show, CancellationToken cancellationToken)
    {
        var json = ToJson(value);
        try
        {
            await EmitAsync(show(json), cancellationToken);
        }
        catch (InvalidEventException problem) when (json is not null)
        {
            await EmitAsync(show(Note(problem.Message)), cancellationToken);
        }
    }

    private static JsonElement? ToJson(object? value)
    {
        try
        {
            return value is null ? null : JsonSerializer.SerializeToElement(value, value.GetType(), JsonSerializerOptions.Web);
        }
        catch (Exception problem)
        {
            // Whatever a property of a foreign type throws.
            return Note(problem.Message);
        }
    }

    private static JsonElement Note(string problem) => JsonSerializer.SerializeToElement($"(cannot be shown: {ErrorText.Shorten(problem)})");

    private static void RefuseLifecycle(AgentEvent @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        if (EventTypes.IsLifecycle(@event.Type))
        {
            throw new ArgumentException(
                $"{@event.Type} is the worker's to write: return to complete the run, throw to fail it", nameof(@event));
        }
    }
}

using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs as a person sees them: requested, looked at, cancelled. Every change happens under the stream's head lock,
/// together with the events that tell of it.
/// </summary>
public sealed class RunStore
{
    /// <summary>
    /// Creates a queued run, its <c>run_requested</c> event (sequence 1) and the <see cref="StartRun"/> command in one
    /// transaction. The same key with the same body returns the first answer.
    /// </summary>
    /// <exception cref="IdempotencyConflictException">The key was used with another body.</exception>
    /// <exception cref="InvalidEventException">A field is wrong or too large.</exception>
    public Task<RunCreated> CreateAsync(NewRun run, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The run, or null.</summary>
    public Task<AgentRun?> GetAsync(StreamKey stream, string run, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>The user's threads, most recently requested first, at most <paramref name="limit"/>.</summary>
    public Task<IReadOnlyList<ThreadSummary>> ListThreadsAsync(StreamKey stream, int limit, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Asks to cancel: a queued run ends at once with <c>agent_cancelled</c>; a running one is marked and its worker is
    /// told; an ended one stays as it is. Null: no such run.
    /// </summary>
    public Task<AgentRun?> RequestCancelAsync(StreamKey stream, string run, CancellationToken cancellationToken) => throw new NotImplementedException();
}

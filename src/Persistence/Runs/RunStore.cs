using System.Data.Common;
using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>
/// Runs as a person sees them: requested, looked at, cancelled. Every change happens under the stream's head lock,
/// together with the events that tell of it. Every method throws <see cref="DbException"/> or
/// <see cref="TimeoutException"/> while the database is away or the head stays locked; a call may then be repeated.
/// </summary>
public sealed class RunStore(PipelineDatabase database, EventEncoder encoder, TimeProvider time)
{
    /// <summary>The agent of a request that names none.</summary>
    public const string DefaultAgent = "demo";

    private const int Tries = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// Creates a queued run, its <c>run_requested</c> event (sequence 1) and the <see cref="StartRun"/> command in one
    /// transaction. The same key with the same body returns the first answer.
    /// </summary>
    /// <exception cref="IdempotencyConflictException">The key was used with another body.</exception>
    /// <exception cref="InvalidEventException">A field is wrong or too large.</exception>
    public async Task<RunCreated> CreateAsync(NewRun run, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        run = run with { Agent = run.Agent ?? DefaultAgent };
        ThrowIfInvalidId(run.Agent, "agent");
        if (run.IdempotencyKey is { } key)
        {
            ThrowIfInvalidId(key, "Idempotency-Key");
        }

        var requested = Requested(run);
        var hash = Idempotency.Hash(run);
        return await SettleAsync(isRetry => CreateOnceAsync(run, requested, hash, isRetry, cancellationToken), cancellationToken);
    }

    /// <summary>The run, or null.</summary>
    public async Task<AgentRun?> GetAsync(StreamKey stream, string run, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        return await context.Runs.Where(row => row.Stream == stream.Value && row.Run == run)
            .Select(row => new AgentRun(
                new RunKey(stream, row.Run), row.Thread, row.Agent, row.Status, row.Attempt,
                row.RequestedAt, row.StartedAt, row.EndedAt))
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>
    /// The user's threads, most recently requested first, at most <paramref name="limit"/>, each with its last
    /// requested run.
    /// </summary>
    public async Task<IReadOnlyList<ThreadSummary>> ListThreadsAsync(StreamKey stream, int limit, CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var threads = await context.Runs.Where(row => row.Stream == stream.Value)
            .GroupBy(row => row.Thread)
            .Select(runs => new { Thread = runs.Key, Runs = runs.Count(), Requested = runs.Max(row => row.RequestedAt) })
            .OrderByDescending(thread => thread.Requested).ThenBy(thread => thread.Thread)
            .Take(limit).ToListAsync(cancellationToken);

        var names = threads.Select(thread => thread.Thread).ToArray();
        var last = await context.Runs.AsNoTracking()
            .Where(row => row.Stream == stream.Value && names.Contains(row.Thread))
            .GroupBy(row => row.Thread)
            .Select(runs => runs.OrderByDescending(row => row.RequestedAt).ThenByDescending(row => row.Run).First())
            .ToDictionaryAsync(row => row.Thread, cancellationToken);
        return [.. threads.Where(thread => last.ContainsKey(thread.Thread)).Select(thread => Summary(thread.Runs, last[thread.Thread]))];
    }

    /// <summary>
    /// Asks to cancel: a run without a worker ends at once with <c>agent_cancelled</c>; one that a worker executes is
    /// marked and its worker is told; an ended one stays as it is. Null: no such run.
    /// </summary>
    public async Task<AgentRun?> RequestCancelAsync(StreamKey stream, string run, CancellationToken cancellationToken)
    {
        var found = await GetAsync(stream, run, cancellationToken);
        if (found is null || found.Status >= RunStatus.Completed)
        {
            return found;
        }

        await SettleAsync(_ => CancelOnceAsync(found, cancellationToken), cancellationToken);
        return await GetAsync(stream, run, cancellationToken);
    }

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    private static void ThrowIfInvalidId(string value, string field)
    {
        if (Limits.DescribeInvalidId(value) is { } problem)
        {
            throw new InvalidEventException(field, problem);
        }
    }

    /// <summary>
    /// Repeats what failed in the database, for the connection may have broken before, in or after the commit: under the
    /// head lock the next try sees what became of the last one.
    /// </summary>
    private async Task<T> SettleAsync<T>(Func<bool, Task<T>> tryOnce, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await tryOnce(tries > 1);
            }
            catch (Exception exception) when (tries < Tries && database.Log.Classify(exception) == Failure.Transient)
            {
                var delay = FirstDelay * (1 << tries) * (0.5 + Random.Shared.NextDouble());
                await Task.Delay(delay, time, cancellationToken);
            }
            catch (Exception exception) when (exception is not DbException && exception.GetBaseException() is DbException cause)
            {
                ExceptionDispatchInfo.Throw(cause);
            }
        }
    }

    private NewEvent Requested(NewRun run)
    {
        var (tenant, user) = run.Stream.Split();
        return encoder.Encode(new RunRequested
        {
            Tenant = tenant, User = user, Thread = run.Thread, Run = $"r-{Guid.CreateVersion7():N}", Sequence = 1,
            Input = run.Input, Agent = run.Agent!,
        });
    }

    private async Task<RunCreated> CreateOnceAsync(
        NewRun run, NewEvent requested, byte[] hash, bool isRetry, CancellationToken cancellationToken)
    {
        await using var locked = await database.LockStreamAsync(run.Stream, cancellationToken);
        var context = locked.Context;
        if (await Idempotency.FindAsync(context, run, hash, Now, cancellationToken) is { } earlier)
        {
            return earlier;
        }

        if (isRetry && await FindAsync(locked, requested, cancellationToken) is { } committed)
        {
            return committed;
        }

        var answer = Answer(locked, requested, locked.Head.Head);
        context.Runs.Add(NewRow(run, requested.Run, locked.Head.Head + 1));
        await Idempotency.StoreAsync(context, run, hash, answer, Now, cancellationToken);
        await locked.AppendAsync([requested], cancellationToken);
        var (tenant, user) = run.Stream.Split();
        locked.AddCommand(new StartRun { Tenant = tenant, User = user, Run = requested.Run });
        await locked.CommitAsync(cancellationToken);
        return answer;
    }

    /// <summary>The answer of a try whose commit came through though its reply did not.</summary>
    private static async Task<RunCreated?> FindAsync(LockedStream locked, NewEvent requested, CancellationToken cancellationToken)
    {
        var position = await locked.Context.Events
            .Where(row => row.Stream == requested.Stream.Value && row.EventId == requested.Id)
            .Select(row => (long?)row.Position).SingleOrDefaultAsync(cancellationToken);
        return position is { } first ? Answer(locked, requested, first - 1) : null;
    }

    private static RunCreated Answer(LockedStream locked, NewEvent requested, long before) =>
        new(requested.Run, requested.Thread, RunStatus.Queued, new Cursor(
            Epoch.Of(locked.Head.Generation, requested.Stream, locked.Head.Incarnation), before));

    private AgentRunRow NewRow(NewRun run, string id, long position) => new()
    {
        Stream = run.Stream.Value, Run = id, Thread = run.Thread, Agent = run.Agent!, Input = run.Input,
        Status = RunStatus.Queued, RequestedAt = Now, FirstPosition = position,
    };

    private async Task<bool> CancelOnceAsync(AgentRun found, CancellationToken cancellationToken)
    {
        var key = found.Key;
        await using var locked = await database.LockStreamAsync(key.Stream, cancellationToken);
        var row = await locked.Context.Runs
            .SingleOrDefaultAsync(row => row.Stream == key.Stream.Value && row.Run == key.Run, cancellationToken);
        if (row is null || row.Status >= RunStatus.Completed || (row.Worker is not null && row.CancelRequested))
        {
            return false;
        }

        if (row.Worker is null)
        {
            await locked.EndAsync(row, new AgentCancelled(), encoder, cancellationToken);
        }
        else
        {
            row.CancelRequested = true;
            var (tenant, user) = key.Stream.Split();
            locked.AddCommand(new CancelRun { Tenant = tenant, User = user, Run = key.Run });
        }

        await locked.CommitAsync(cancellationToken);
        return true;
    }

    private static ThreadSummary Summary(int runs, AgentRunRow last) =>
        new(last.Thread, runs, last.Run, last.Status, last.EndedAt ?? last.StartedAt ?? last.RequestedAt);
}

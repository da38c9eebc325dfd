using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Answers to requests that may be repeated, kept for a day. Works under the stream's head lock.</summary>
internal static class Idempotency
{
    private static readonly TimeSpan Keep = TimeSpan.FromHours(24);

    /// <summary>Tells one request from another.</summary>
    public static byte[] Hash(NewRun run) =>
        SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(new[] { run.Thread, run.Agent, run.Input }));

    /// <summary>The first answer to this request, or null.</summary>
    /// <exception cref="IdempotencyConflictException">The key was used with another body.</exception>
    public static async Task<RunCreated?> FindAsync(
        PipelineContext context, NewRun run, byte[] hash, DateTime now, CancellationToken cancellationToken)
    {
        if (run.IdempotencyKey is not { } key)
        {
            return null;
        }

        var row = await context.Idempotency.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Stream == run.Stream.Value && row.Key == key, cancellationToken);
        if (row is null || row.ExpiresAt <= now)
        {
            return null;
        }

        return row.BodyHash.AsSpan().SequenceEqual(hash)
            ? JsonSerializer.Deserialize<StoredAnswer>(row.Result)!.ToAnswer()
            : throw new IdempotencyConflictException(key);
    }

    /// <summary>Keeps the answer; it is stored when the context is saved.</summary>
    public static async Task StoreAsync(
        PipelineContext context, NewRun run, byte[] hash, RunCreated answer, DateTime now, CancellationToken cancellationToken)
    {
        if (run.IdempotencyKey is not { } key)
        {
            return;
        }

        await context.Idempotency.Where(row => row.Stream == run.Stream.Value && row.Key == key)
            .ExecuteDeleteAsync(cancellationToken);
        context.Idempotency.Add(new IdempotencyRow
        {
            Stream = run.Stream.Value, Key = key, BodyHash = hash, ExpiresAt = now + Keep,
            Result = JsonSerializer.Serialize(StoredAnswer.Of(answer)),
        });
    }

    private sealed record StoredAnswer(string Run, string Thread, RunStatus Status, string? Epoch, long Position)
    {
        public static StoredAnswer Of(RunCreated answer) =>
            new(answer.Run, answer.Thread, answer.Status, answer.Cursor.Epoch, answer.Cursor.Position);

        public RunCreated ToAnswer() => new(Run, Thread, Status, new Cursor(Epoch, Position));
    }
}

namespace Pipeline.Persistence.Tests;

/// <summary>Reading the outbox as far as most tests want it.</summary>
internal static class OutboxReading
{
    public static OutboxBound Rows(int rows) => new(rows, Bytes: 16 * 1024 * 1024);

    public static Task<IReadOnlyList<long>> ReadOwnIdsAsync(this OutboxStore outbox, int limit, CancellationToken cancellationToken) =>
        outbox.ReadOwnIdsAsync(after: 0, limit, cancellationToken);

    public static Task<IReadOnlyList<CommittedBatch>> ReadAsync(
        this OutboxStore outbox, IReadOnlyCollection<long> ids, CancellationToken cancellationToken) =>
        outbox.ReadAsync(ids, Rows(1_000), cancellationToken);

    public static async Task DeleteAsync(this OutboxStore outbox, IReadOnlyCollection<long> ids, CancellationToken cancellationToken) =>
        await outbox.DeleteAsync(await outbox.ReadGenerationAsync(cancellationToken), ids, cancellationToken);
}

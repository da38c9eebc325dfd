namespace Pipeline.Testing;

/// <summary>The network between a host and everybody it talks with.</summary>
/// <param name="Database">To PostgreSQL.</param>
/// <param name="Broker">To RabbitMQ, both connections.</param>
/// <param name="Front">From its clients; null for a host that has none.</param>
public sealed record HostLinks(FaultProxy Database, FaultProxy Broker, FaultProxy? Front) : IAsyncDisposable
{
    /// <summary>Each of them.</summary>
    public IEnumerable<(string Name, FaultProxy Link)> All =>
        new (string, FaultProxy?)[] { ("database", Database), ("broker", Broker), ("front", Front) }
            .Where(link => link.Item2 is not null).Select(link => (link.Item1, link.Item2!));

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, link) in All)
        {
            await link.DisposeAsync();
        }
    }
}

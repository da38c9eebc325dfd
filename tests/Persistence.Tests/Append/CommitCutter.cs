using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Persistence.Tests;

/// <summary>A network before PostgreSQL that lets the first COMMIT through and cuts off its reply.</summary>
internal sealed class CommitCutter : IAsyncDisposable
{
    private readonly FaultProxy _network;
    private int _commits;
    private int _cuts;

    public CommitCutter(string connectionString)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        _network = new FaultProxy(target.Host!, target.Port, Inspect);
        ConnectionString = _network.Behind(connectionString);
    }

    public string ConnectionString { get; }

    public int Cuts => Volatile.Read(ref _cuts);

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    private Func<Flow, ReadOnlySpan<byte>, bool> Inspect()
    {
        var isCut = false;
        return (flow, bytes) =>
        {
            if (flow == Flow.Up)
            {
                isCut |= bytes.IndexOf("COMMIT\0"u8) >= 0 && Interlocked.Increment(ref _commits) == 1;
                return true;
            }

            if (isCut)
            {
                Interlocked.Increment(ref _cuts);
            }

            return !isCut;
        };
    }
}

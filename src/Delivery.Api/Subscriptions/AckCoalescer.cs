using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Keeps the latest ack of each client and writes them together, every second and when the host stops. An ack is a
/// convenience to the client, so those that come while too many wait are dropped.
/// </summary>
internal sealed partial class AckCoalescer(AckStore store, TimeProvider time, ILogger<AckCoalescer> logger) : BackgroundService
{
    private const int MostWaiting = 100_000;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Dictionary<(StreamKey Stream, string Client), Cursor> _latest = [];
    private bool _failing;

    public void Note(StreamKey stream, string client, Cursor cursor)
    {
        lock (_lock)
        {
            if (_latest.TryGetValue((stream, client), out var known)
                ? known.Epoch != cursor.Epoch || known.Position < cursor.Position
                : _latest.Count < MostWaiting)
            {
                _latest[(stream, client)] = cursor;
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await FlushAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Every, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await FlushAsync(stoppingToken);
        }
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        var acks = Take();
        if (acks.Count == 0)
        {
            return;
        }

        using var timeout = new CancellationTokenSource(WriteTimeout, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await store.WriteAsync([.. acks.Select(ack => new ClientAck(ack.Key.Stream, ack.Key.Client, ack.Value))], bounded.Token);
            _failing = false;
        }
        catch (Exception exception)
        {
            if (!_failing && !cancellationToken.IsCancellationRequested)
            {
                LogFailed(exception, acks.Count);
            }

            _failing = true;
            PutBack(acks);
        }
    }

    private Dictionary<(StreamKey Stream, string Client), Cursor> Take()
    {
        lock (_lock)
        {
            var taken = _latest;
            _latest = [];
            return taken;
        }
    }

    private void PutBack(Dictionary<(StreamKey Stream, string Client), Cursor> acks)
    {
        lock (_lock)
        {
            foreach (var (key, cursor) in acks)
            {
                _latest.TryAdd(key, cursor);
            }
        }
    }

    [LoggerMessage(4130, LogLevel.Warning, "Storing {Count} acks failed; they are kept and written when the database answers")]
    private partial void LogFailed(Exception exception, int count);
}

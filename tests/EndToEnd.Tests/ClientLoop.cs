using Pipeline.Client;

namespace Pipeline.EndToEnd.Tests;

/// <summary>A loop over the events of a .NET client, and what it saw.</summary>
internal sealed class ClientLoop : IAsyncDisposable
{
    private readonly AgentEventsClient _client;
    private readonly List<(long Position, Guid Id, string Type, string Run)> _seen = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private long _position;

    public ClientLoop(Uri node, string user, string token, Transports transports)
    {
        User = user;
        _client = new AgentEventsClient(new AgentEventsOptions
        {
            Url = node,
            Token = _ => ValueTask.FromResult(token),
            Client = "end-to-end",
            After = "0",
            Transports = transports,
        });
        _reading = ReadAsync();
    }

    public string User { get; }

    /// <summary>Of the last event that it saw; 0 before the first.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>All that it saw, once it is disposed of.</summary>
    public IReadOnlyList<(long Position, Guid Id, string Type, string Run)> Seen => _seen;

    /// <summary>Ends the loop.</summary>
    /// <exception cref="Exception">What ended it before.</exception>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        await _client.DisposeAsync();
        _stop.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            await foreach (var item in _client.ReadAsync(_stop.Token))
            {
                _seen.Add((item.Position, item.Id, item.Type, item.Run));
                Volatile.Write(ref _position, item.Position);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end of the test.
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.SignalR.Client;

namespace Pipeline.Benchmarks;

/// <summary>One SignalR connection. It counts and checks by the sequence, in which events may come late.</summary>
internal sealed class OrdinaryScreen : IAsyncDisposable
{
    private readonly HubConnection _connection;
    private readonly Lock _lock = new();
    private readonly List<float> _latencies = [];
    private readonly HashSet<long> _seen = [];
    private TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _awaited = long.MaxValue;
    private long _newest;
    private long _doubled;
    private long _disordered;

    private OrdinaryScreen(string node)
    {
        _connection = new HubConnectionBuilder().WithUrl($"{node}/events").Build();
        _connection.On<OrdinaryEvent>("event", Take);
    }

    public long OpenedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>When the last event came.</summary>
    public long LastAt { get; private set; }

    /// <summary>From call to screen, of events since the counting began.</summary>
    public float[] Latencies
    {
        get
        {
            lock (_lock)
            {
                return [.. _latencies];
            }
        }
    }

    public static async Task<OrdinaryScreen> OpenAsync(string node, string user, CancellationToken cancellationToken)
    {
        var screen = new OrdinaryScreen(node);
        await screen._connection.StartAsync(cancellationToken);
        await screen._connection.InvokeAsync("Join", user, cancellationToken);
        return screen;
    }

    /// <summary>Returns once so many events came.</summary>
    public Task ReachAsync(long head)
    {
        lock (_lock)
        {
            _awaited = head;
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_seen.Count >= head)
            {
                _reached.SetResult();
            }

            return _reached.Task;
        }
    }

    /// <summary>What is missing, if these many were saved, and what else is wrong since the counting began.</summary>
    public Verdict Judge(long head)
    {
        lock (_lock)
        {
            return new Verdict(head - _seen.Count, _doubled, _disordered);
        }
    }

    public void BeginCounting()
    {
        lock (_lock)
        {
            (_doubled, _disordered) = (0, 0);
            _latencies.Clear();
        }
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private void Take(OrdinaryEvent received)
    {
        var now = Stopwatch.GetTimestamp();
        var called = long.Parse(received.Body.AsSpan(0, received.Body.IndexOf(' ')), CultureInfo.InvariantCulture);
        lock (_lock)
        {
            var isNew = _seen.Add(received.Sequence);
            _doubled += isNew ? 0 : 1;
            _disordered += isNew && received.Sequence < _newest ? 1 : 0;
            (_newest, LastAt) = (Math.Max(received.Sequence, _newest), now);
            _latencies.Add((float)Stopwatch.GetElapsedTime(called, now).TotalMilliseconds);
            if (_seen.Count >= _awaited)
            {
                _reached.TrySetResult();
            }
        }
    }
}

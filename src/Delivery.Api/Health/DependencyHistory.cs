namespace Pipeline.Delivery.Api;

/// <summary>Since when each dependency is as it is; <see cref="Degradation"/> knows only the present.</summary>
internal sealed class DependencyHistory : IHostedService, IDisposable
{
    private static readonly string[] Names = [Degradation.Bus, Degradation.Log];

    private readonly Degradation _degradation;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (bool Ok, DateTimeOffset Since)> _states;

    public DependencyHistory(Degradation degradation, TimeProvider time)
    {
        _degradation = degradation;
        _time = time;
        _states = Names.ToDictionary(name => name, _ => (true, time.GetUtcNow()), StringComparer.Ordinal);
    }

    public (bool Ok, DateTimeOffset Since) Of(string name)
    {
        Note();
        lock (_lock)
        {
            return _states[name];
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _degradation.Changed += Note;
        Note();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _degradation.Changed -= Note;

    private void Note()
    {
        var missing = _degradation.Current;
        var now = _time.GetUtcNow();
        lock (_lock)
        {
            foreach (var name in Names)
            {
                var ok = !missing.Contains(name);
                if (_states[name].Ok != ok)
                {
                    _states[name] = (ok, now);
                }
            }
        }
    }
}

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes until the broker confirms: every attempt has a timeout, and attempts are spaced by a back-off. A page that a
/// later beacon overtook is begun anew at once, and everything is when an outage ends: MassTransit itself would retry
/// seconds later.
/// </summary>
internal sealed partial class ConfirmedPublisher(
    IOptions<BusOptions> options, BusHealth health, TimeProvider time, ILogger<ConfirmedPublisher> logger)
{
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(5);
    private const int TroublesomeAttempts = 5;

    private readonly TimeSpan _timeout = options.Value.PublishTimeout;
    private readonly ILogger<ConfirmedPublisher> _logger = logger;
    private readonly Lock _lock = new();
    private readonly HashSet<Attempt> _attempts = [];
    private long _begun;

    /// <summary>Returns when confirmed.</summary>
    /// <param name="asBeacons">It goes where beacons go: its fate tells of the broker's health, and a beacon can overtake it.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> ended it.</exception>
    public async Task UntilConfirmedAsync(
        string what, Func<CancellationToken, Task> publish, bool asBeacons, CancellationToken cancellationToken)
    {
        var backOff = FirstBackOff;
        for (var number = 1; ; number++)
        {
            using var attempt = new Attempt(this, asBeacons);
            try
            {
                await AttemptAsync(publish, _timeout, attempt.Overtaken, cancellationToken);
                if (asBeacons)
                {
                    Succeeded();
                }

                return;
            }
            catch (Exception exception) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException($"{what} was not confirmed before the stop", exception, cancellationToken);
            }
            catch (Exception) when (attempt.Overtaken.IsCancellationRequested)
            {
                backOff = FirstBackOff;
                continue;
            }
            catch (Exception exception)
            {
                Failed(asBeacons, exception);
                NoteTrouble(what, number, exception);
            }

            await PauseAsync(backOff, attempt.Overtaken, cancellationToken);
            backOff = backOff * 2 < LongestBackOff ? backOff * 2 : LongestBackOff;
        }
    }

    /// <summary>One attempt, without a second. Returns whether it was confirmed.</summary>
    public async Task<bool> ProbeAsync(Func<CancellationToken, Task> publish, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var begun = Interlocked.Increment(ref _begun);
        try
        {
            await AttemptAsync(publish, timeout < _timeout ? timeout : _timeout, CancellationToken.None, cancellationToken);
            Overtake(attempt => attempt.AsBeacons && attempt.Begun < begun);
            Succeeded();
            return true;
        }
        catch (Exception exception)
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                Failed(asBeacon: true, exception);
            }

            return false;
        }
    }

    private async Task AttemptAsync(
        Func<CancellationToken, Task> publish, TimeSpan timeout, CancellationToken overtaken, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, overtaken, late.Token);
        try
        {
            await publish(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"not confirmed within {timeout.TotalSeconds:0.#} s");
        }
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken overtaken, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, overtaken);
        try
        {
            await Task.Delay(length, time, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The broker is back: no need to wait.
        }
    }

    private void Succeeded()
    {
        if (health.Confirmed())
        {
            LogRegained();
            Overtake(_ => true);
        }
    }

    private void Overtake(Func<Attempt, bool> which)
    {
        Attempt[] overtaken;
        lock (_lock)
        {
            overtaken = [.. _attempts.Where(which)];
        }

        foreach (var attempt in overtaken)
        {
            attempt.Overtake();
        }
    }

    private void Failed(bool asBeacon, Exception exception)
    {
        if (asBeacon && health.PublishFailed())
        {
            LogLost(exception.Message);
        }
    }

    private void NoteTrouble(string what, int attempt, Exception exception)
    {
        if (attempt == TroublesomeAttempts && health.CanPublish)
        {
            LogTroublesome(what, attempt, exception.Message);
        }
    }

    /// <summary>An attempt and the pause after it.</summary>
    private sealed class Attempt : IDisposable
    {
        private readonly ConfirmedPublisher _owner;
        private readonly CancellationTokenSource _overtaken = new();

        public Attempt(ConfirmedPublisher owner, bool asBeacons)
        {
            _owner = owner;
            AsBeacons = asBeacons;
            Begun = Interlocked.Increment(ref owner._begun);
            lock (owner._lock)
            {
                owner._attempts.Add(this);
            }
        }

        public bool AsBeacons { get; }

        public long Begun { get; }

        public CancellationToken Overtaken => _overtaken.Token;

        public void Overtake() => _overtaken.Cancel();

        // The source is not disposed: it has no timer, and a probe may be about to cancel it.
        public void Dispose()
        {
            lock (_owner._lock)
            {
                _owner._attempts.Remove(this);
            }
        }
    }

    [LoggerMessage(2030, LogLevel.Warning, "The broker does not confirm: {Problem}. Events stay in memory and in the outbox until it does.")]
    private partial void LogLost(string problem);

    [LoggerMessage(2031, LogLevel.Information, "The broker confirms again")]
    private partial void LogRegained();

    [LoggerMessage(2032, LogLevel.Error, "{What} was refused {Attempts} times although the broker confirms others: {Problem}. Compare its exchange in the RabbitMQ UI with a fanout exchange; it is tried further.")]
    private partial void LogTroublesome(string what, int attempts, string problem);
}

using Microsoft.Extensions.Logging;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes until the broker confirms: every attempt has a timeout, and pauses grow between them. Beacons are the probe:
/// while they are not confirmed nothing else is attempted, or copies would pile up on the way to the broker.
/// </summary>
internal sealed partial class ConfirmedPublisher(BusHealth health, TimeProvider time, ILogger<ConfirmedPublisher> logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private const int TroublesomeAttempts = 5;

    private readonly ILogger<ConfirmedPublisher> _logger = logger;
    private readonly Lock _lock = new();
    private readonly HashSet<Attempt> _attempts = [];
    private readonly HashSet<string> _troubled = [];
    private TaskCompletionSource _regained = NewSignal();
    private long _begun;
    private long _confirms;
    private long _lastBeacon;

    /// <summary>Returns when confirmed.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> ended it.</exception>
    public async Task UntilConfirmedAsync(
        PublishTerms terms, Func<CancellationToken, Task> publish, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        for (var number = 1; ; number++)
        {
            await UntilBrokerConfirmsAsync(cancellationToken);
            using var attempt = new Attempt(this, terms.AsBeacons);
            try
            {
                await AttemptAsync(publish, terms.Timeout, attempt.Overtaken, cancellationToken);
                NoteConfirmed(terms, number);
                return;
            }
            catch (Exception exception) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException($"{terms.What} was not confirmed before the stop", exception, cancellationToken);
            }
            catch (Exception) when (attempt.Overtaken.IsCancellationRequested)
            {
                continue;
            }
            catch (Exception exception)
            {
                NoteTrouble(terms.What, number, exception);
            }

            await PauseAsync(pause, cancellationToken);
            pause = pause * 2 < terms.LongestPause ? pause * 2 : terms.LongestPause;
        }
    }

    /// <summary>One attempt, once the broker confirms. Returns whether this was confirmed.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> ended it.</exception>
    public async Task<bool> TryAsync(
        PublishTerms terms, Func<CancellationToken, Task> publish, CancellationToken cancellationToken)
    {
        await UntilBrokerConfirmsAsync(cancellationToken);
        try
        {
            await AttemptAsync(publish, terms.Timeout, CancellationToken.None, cancellationToken);
            return true;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>
    /// Publishes a beacon, once, and takes its fate for the broker's. It queues behind pages: while any of those is being
    /// confirmed it is waited for longer than <paramref name="patience"/>, and its failure means nothing.
    /// </summary>
    /// <returns>Whether it was confirmed.</returns>
    public async Task<bool> ProbeAsync(PublishTerms terms, Func<CancellationToken, Task> publish, TimeSpan patience, CancellationToken cancellationToken)
    {
        var (begun, confirmsBefore) = (Interlocked.Increment(ref _begun), Interlocked.Read(ref _confirms));
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var attempt = AttemptAsync(publish, terms.Timeout, CancellationToken.None, enough.Token);
        long confirms;
        do
        {
            confirms = Interlocked.Read(ref _confirms);
            await Task.WhenAny(attempt, Task.Delay(patience, time, enough.Token));
        }
        while (!attempt.IsCompleted && Interlocked.Read(ref _confirms) != confirms);

        await enough.CancelAsync();
        try
        {
            await attempt;
        }
        catch (Exception exception)
        {
            if (!cancellationToken.IsCancellationRequested && Interlocked.Read(ref _confirms) == confirmsBefore && health.PublishFailed())
            {
                LogLost(attempt.IsCanceled ? $"not confirmed within {patience.TotalSeconds:0.#} s" : exception.Message);
            }

            return false;
        }

        NotePageOrBeacon();
        Overtake(Interlocked.Exchange(ref _lastBeacon, begun));
        return true;
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

    private async Task UntilBrokerConfirmsAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var regained = Volatile.Read(ref _regained).Task;
            if (health.CanPublish)
            {
                return;
            }

            await regained.WaitAsync(cancellationToken);
        }
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken cancellationToken)
    {
        await Volatile.Read(ref _regained).Task.WaitAsync(length, time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private void NoteConfirmed(PublishTerms terms, int number)
    {
        if (terms.AsBeacons)
        {
            NotePageOrBeacon();
        }

        if (number > TroublesomeAttempts)
        {
            lock (_lock)
            {
                _troubled.Remove(terms.What);
            }
        }
    }

    private void NotePageOrBeacon()
    {
        Interlocked.Increment(ref _confirms);
        if (health.Confirmed())
        {
            LogRegained();
            Interlocked.Exchange(ref _regained, NewSignal()).SetResult();
        }
    }

    /// <summary>
    /// Begins anew what was begun before the given beacon, although one after that was confirmed too: its connection was
    /// lost, and MassTransit would try again many seconds later. One beacon alone proves nothing, for confirms come in any order.
    /// </summary>
    private void Overtake(long beacon)
    {
        Attempt[] overtaken;
        lock (_lock)
        {
            overtaken = [.. _attempts.Where(attempt => attempt.AsBeacons && attempt.Begun < beacon)];
        }

        foreach (var attempt in overtaken)
        {
            attempt.Overtake();
        }
    }

    private void NoteTrouble(string what, int attempt, Exception exception)
    {
        bool isNew;
        lock (_lock)
        {
            isNew = attempt >= TroublesomeAttempts && health.CanPublish && _troubled.Add(what);
        }

        if (isNew)
        {
            LogTroublesome(what, attempt, exception.Message);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

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

    [LoggerMessage(2032, LogLevel.Error, "{What} was refused {Attempts} times although the broker confirms others: {Problem}. Compare its exchange in the RabbitMQ UI with a fanout exchange, and this user's permissions; it is tried further.")]
    private partial void LogTroublesome(string what, int attempts, string problem);
}

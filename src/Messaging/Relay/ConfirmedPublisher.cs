using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes until the broker confirms: every attempt has a timeout, attempts are spaced by a back-off, and the first
/// confirm after an outage starts all waiting ones at once, since MassTransit itself would wait for up to 30 s.
/// </summary>
internal sealed partial class ConfirmedPublisher(
    IOptions<BusOptions> options, BusHealth health, TimeProvider time, ILogger<ConfirmedPublisher> logger)
{
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(5);
    private const int TroublesomeAttempts = 5;

    private readonly TimeSpan _timeout = options.Value.PublishTimeout;
    private readonly ILogger<ConfirmedPublisher> _logger = logger;
    private CancellationTokenSource _again = new();

    /// <summary>Returns when confirmed.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> ended it.</exception>
    public async Task UntilConfirmedAsync(
        string what, Func<CancellationToken, Task> publish, bool tellsHealth, CancellationToken cancellationToken)
    {
        var backOff = FirstBackOff;
        for (var attempt = 1; ; attempt++)
        {
            var again = Volatile.Read(ref _again).Token;
            try
            {
                await AttemptAsync(publish, _timeout, again, cancellationToken);
                Succeeded(tellsHealth);
                return;
            }
            catch (Exception exception) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException($"{what} was not confirmed before the stop", exception, cancellationToken);
            }
            catch (Exception) when (again.IsCancellationRequested)
            {
                backOff = FirstBackOff;
                continue;
            }
            catch (Exception exception)
            {
                Failed(tellsHealth, exception);
                NoteTrouble(what, attempt, exception);
            }

            await PauseAsync(backOff, again, cancellationToken);
            backOff = backOff * 2 < LongestBackOff ? backOff * 2 : LongestBackOff;
        }
    }

    /// <summary>One attempt, without a second. Returns whether it was confirmed.</summary>
    public async Task<bool> TryOnceAsync(Func<CancellationToken, Task> publish, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await AttemptAsync(publish, timeout < _timeout ? timeout : _timeout, CancellationToken.None, cancellationToken);
            Succeeded(tellsHealth: true);
            return true;
        }
        catch (Exception exception)
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                Failed(tellsHealth: true, exception);
            }

            return false;
        }
    }

    private async Task AttemptAsync(
        Func<CancellationToken, Task> publish, TimeSpan timeout, CancellationToken again, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, again, late.Token);
        try
        {
            await publish(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"not confirmed within {timeout.TotalSeconds:0.#} s");
        }
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken again, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, again);
        try
        {
            await Task.Delay(length, time, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The broker is back: no need to wait.
        }
    }

    private void Succeeded(bool tellsHealth)
    {
        if (tellsHealth && health.Confirmed())
        {
            LogRegained();
            // Not disposed: an attempt may just be taking its token.
            Interlocked.Exchange(ref _again, new CancellationTokenSource()).Cancel();
        }
    }

    private void Failed(bool tellsHealth, Exception exception)
    {
        if (tellsHealth && health.PublishFailed())
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

    [LoggerMessage(2030, LogLevel.Warning, "The broker does not confirm: {Problem}. Events stay in memory and in the outbox until it does.")]
    private partial void LogLost(string problem);

    [LoggerMessage(2031, LogLevel.Information, "The broker confirms again")]
    private partial void LogRegained();

    [LoggerMessage(2032, LogLevel.Error, "{What} was refused {Attempts} times although the broker confirms others: {Problem}. Compare its exchange in the RabbitMQ UI with a fanout exchange; it is tried further.")]
    private partial void LogTroublesome(string what, int attempts, string problem);
}

namespace Pipeline.Client;

/// <summary>
/// Holds the token that is in use and asks for another one when it is refused or about to end. Thread-safe; the provider is asked
/// by one at a time.
/// </summary>
internal sealed class TokenSource(Func<CancellationToken, ValueTask<string>> provider, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Apart = TimeSpan.FromSeconds(5);

    /// <summary>An older token may have ended while the network was away or the machine slept.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private Held? _held;

    /// <summary>The token to use now: a new one where the held one is to be renewed, unless the provider fails.</summary>
    /// <exception cref="TokenUnavailableException">There is none.</exception>
    public async ValueTask<string> GetAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_held is null || _held.RenewAt <= time.GetUtcNow())
            {
                _held = await AskAsync(_held, cancellationToken);
            }

            return _held.Token;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The service refused it: the next one is a new one.</summary>
    /// <returns>Whether it had just been got, so that another is hardly better.</returns>
    public bool Refuse(string token)
    {
        if (_held is not { } held || held.Token != token)
        {
            return false;
        }

        Interlocked.CompareExchange(ref _held, null, held);
        return time.GetUtcNow() - held.GotAt <= Fresh;
    }

    public void Dispose() => _turn.Dispose();

    private async ValueTask<Held> AskAsync(Held? held, CancellationToken cancellationToken)
    {
        try
        {
            // A provider that does not listen to the cancellation holds nobody up.
            var token = await provider(cancellationToken).AsTask().WaitAsync(cancellationToken);
            return string.IsNullOrEmpty(token)
                ? throw new TokenUnavailableException("the token provider gave an empty token")
                : new Held(token, time.GetUtcNow(), RenewAt(token));
        }
        catch (Exception) when (held is not null && !cancellationToken.IsCancellationRequested)
        {
            // The held one still serves.
            return held with { RenewAt = time.GetUtcNow() + Apart };
        }
    }

    /// <summary>At four fifths of what is left of its life or a minute before its end, whichever is later.</summary>
    private DateTimeOffset? RenewAt(string token)
    {
        if (JwtExpiry.Of(token) is not { } ends)
        {
            return null;
        }

        var now = time.GetUtcNow();
        var renewAt = Later(now + ((ends - now) * 0.8), ends - Ahead);
        return Later(renewAt, now + Apart);
    }

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private sealed record Held(string Token, DateTimeOffset GotAt, DateTimeOffset? RenewAt);
}

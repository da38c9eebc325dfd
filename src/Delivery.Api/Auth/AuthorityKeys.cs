using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The authority's signing keys, fetched in the background: no request ever waits for the authority, and one that is
/// away leaves the last known keys in force.
/// </summary>
public sealed partial class AuthorityKeys(
    IOptions<AuthOptions> options, DeveloperMode mode, TimeProvider time, ILogger<AuthorityKeys> logger) : BackgroundService
{
    private static readonly TimeSpan RefreshEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan MinRefresh = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FetchTimeout = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _wanted = new(0, 1);
    private volatile Fetched? _current;

    /// <summary>Whether there is an authority at all.</summary>
    public bool Needed => !string.IsNullOrEmpty(options.Value.Authority);

    /// <summary>Whether tokens can be judged: keys were fetched once, or none need to be.</summary>
    public bool Known => _current is not null || !Needed;

    /// <summary>Null for never.</summary>
    public DateTimeOffset? FirstFetchedAt => _current?.First;

    /// <summary>Null for never.</summary>
    public DateTimeOffset? LastFetchedAt => _current?.Last;

    /// <summary>The issuer that the authority says it is; null until known.</summary>
    public string? Issuer => _current?.Document.Issuer;

    /// <summary>Keys that may have signed a token; asks for a refresh when there is none of that id.</summary>
    public IReadOnlyList<SecurityKey> Find(string? keyId)
    {
        var all = _current?.Document.SigningKeys ?? [];
        var found = string.IsNullOrEmpty(keyId) ? [.. all] : all.Where(key => key.KeyId == keyId).ToList();
        if (found.Count == 0)
        {
            RequestRefresh();
        }

        return found;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!Needed)
        {
            return;
        }

        using var client = new HttpClient { Timeout = FetchTimeout };
        var documents = new HttpDocumentRetriever(client) { RequireHttps = !mode.IsDevelopment };
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            failures = await TryFetchAsync(documents, stoppingToken) ? 0 : failures + 1;
            var pause = failures == 0 ? MinRefresh : TimeSpan.FromSeconds(Math.Min(30, 1 << Math.Min(failures, 5)));
            await Task.Delay(pause, time, stoppingToken);
            if (failures == 0)
            {
                await WaitForRefreshAsync(stoppingToken);
            }
        }
    }

    private async Task<bool> TryFetchAsync(HttpDocumentRetriever documents, CancellationToken cancellationToken)
    {
        var address = options.Value.Authority!.TrimEnd('/') + "/.well-known/openid-configuration";
        try
        {
            var fetched = await OpenIdConnectConfigurationRetriever.GetAsync(address, documents, cancellationToken);
            if (fetched.SigningKeys.Count == 0)
            {
                LogNoKeys(address);
                return false;
            }

            var now = time.GetUtcNow();
            _current = new Fetched(fetched, _current?.First ?? now, now);
            LogFetched(fetched.SigningKeys.Count, address);
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogFetchFailed(exception, address);
            return false;
        }
    }

    private async Task WaitForRefreshAsync(CancellationToken cancellationToken)
    {
        using var interval = new CancellationTokenSource(RefreshEvery, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(interval.Token, cancellationToken);
        try
        {
            await _wanted.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The interval is over.
        }
    }

    private void RequestRefresh()
    {
        try
        {
            _wanted.Release();
        }
        catch (SemaphoreFullException)
        {
            // Asked for already.
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _wanted.Dispose();
    }

    private sealed record Fetched(OpenIdConnectConfiguration Document, DateTimeOffset First, DateTimeOffset Last);

    [LoggerMessage(4010, LogLevel.Information, "Fetched {Count} signing keys from {Address}")]
    private partial void LogFetched(int count, string address);

    [LoggerMessage(4011, LogLevel.Warning, "Fetching signing keys from {Address} failed; known keys stay in force, trying again")]
    private partial void LogFetchFailed(Exception exception, string address);

    [LoggerMessage(4012, LogLevel.Warning, "{Address} names no signing keys; known keys stay in force, trying again")]
    private partial void LogNoKeys(string address);
}

using System.Text;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Section <c>Auth</c> of the configuration. Exactly one of <see cref="Authority"/> and <see cref="SigningKey"/> is needed.</summary>
public sealed class AuthOptions
{
    public const string Section = "Auth";

    /// <summary>Fewest UTF-8 bytes of <see cref="SigningKey"/>: what HS256 needs (RFC 7518, 3.2).</summary>
    public const int MinSigningKeyBytes = 32;

    /// <summary>
    /// URL of the OpenID Connect issuer; its keys are fetched from <c>/.well-known/openid-configuration</c> in the
    /// background. <c>https</c>, except in Development.
    /// </summary>
    public string? Authority { get; set; }

    /// <summary>Symmetric key of HS256 tokens, the UTF-8 of this text, 32 bytes at least. For development and Standalone.</summary>
    public string? SigningKey { get; set; }

    /// <summary>Expected <c>aud</c>. Required with <see cref="Authority"/>; null: not checked.</summary>
    public string? Audience { get; set; }

    /// <summary>Expected <c>iss</c>. Null: the authority's own, or with <see cref="SigningKey"/> not checked.</summary>
    public string? Issuer { get; set; }

    /// <summary>Claim that names the tenant. Default <c>tenant</c>.</summary>
    public string TenantClaim { get; set; } = "tenant";

    /// <summary>Claim that names the user. Default <c>sub</c>.</summary>
    public string UserClaim { get; set; } = "sub";

    /// <summary>Claim that holds the scopes, separated by spaces or as a list. Default <c>scope</c>.</summary>
    public string ScopeClaim { get; set; } = "scope";

    /// <summary>Tenant of tokens without <see cref="TenantClaim"/>. Default <c>default</c>; empty: such tokens are refused.</summary>
    public string DefaultTenant { get; set; } = "default";

    /// <summary>Tolerated difference between clocks, 0 to 5 min. Default 30 s.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Whether the event resource takes <c>?access_token=</c>, since a browser's EventSource cannot send a header. URLs
    /// end in logs, so the default (null) is: in Development and Standalone; elsewhere it cannot be switched on.
    /// </summary>
    public bool? QueryToken { get; set; }

    /// <summary>
    /// Whether <c>POST /v1/dev/token</c> gives a token to anyone who asks. Default (null): in Development and Standalone
    /// with a <see cref="SigningKey"/>; elsewhere it cannot be switched on.
    /// </summary>
    public bool? DevToken { get; set; }
}

/// <summary>Whether conveniences of Development are allowed: there, and in the Standalone host in any environment.</summary>
public sealed record DeveloperMode(bool Allowed, bool IsDevelopment);

internal sealed class AuthOptionsValidator(DeveloperMode mode) : IValidateOptions<AuthOptions>
{
    public ValidateOptionsResult Validate(string? name, AuthOptions options)
    {
        var errors = Keys(options).Concat(Claims(options)).Concat(Developer(options)).ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private IEnumerable<string> Keys(AuthOptions options)
    {
        var authority = !string.IsNullOrEmpty(options.Authority);
        var key = !string.IsNullOrEmpty(options.SigningKey);
        if (authority == key)
        {
            yield return authority
                ? "Auth:Authority and Auth:SigningKey are both set; remove one of them"
                : "Auth:Authority and Auth:SigningKey are both empty; set Auth:Authority to your OpenID Connect issuer, or Auth:SigningKey for development";
        }

        if (key && Encoding.UTF8.GetByteCount(options.SigningKey!) is < AuthOptions.MinSigningKeyBytes and var bytes)
        {
            yield return $"Auth:SigningKey has {bytes} bytes; give {AuthOptions.MinSigningKeyBytes} or more random ones";
        }

        if (authority && string.IsNullOrEmpty(options.Audience))
        {
            yield return "Auth:Audience is empty; with Auth:Authority it is required, else tokens made for other services would be taken";
        }

        if (authority && (!Uri.TryCreate(options.Authority, UriKind.Absolute, out var uri) || !HasAllowedScheme(uri)))
        {
            yield return $"Auth:Authority is '{options.Authority}'; give an absolute https URL (http in Development only)";
        }
    }

    private bool HasAllowedScheme(Uri uri) =>
        uri.Scheme == Uri.UriSchemeHttps || (mode.IsDevelopment && uri.Scheme == Uri.UriSchemeHttp);

    private static IEnumerable<string> Claims(AuthOptions options)
    {
        (string Name, string Value)[] claims =
        [
            ("TenantClaim", options.TenantClaim), ("UserClaim", options.UserClaim), ("ScopeClaim", options.ScopeClaim),
        ];
        foreach (var (name, _) in claims.Where(claim => string.IsNullOrWhiteSpace(claim.Value)))
        {
            yield return $"Auth:{name} is empty; name a claim, or remove the setting for the default";
        }

        if (!string.IsNullOrEmpty(options.DefaultTenant)
            && Limits.DescribeInvalidId(options.DefaultTenant) is { } problem)
        {
            yield return $"Auth:DefaultTenant '{options.DefaultTenant}' {problem}";
        }

        if (options.ClockSkew < TimeSpan.Zero || options.ClockSkew > TimeSpan.FromMinutes(5))
        {
            yield return $"Auth:ClockSkew is {options.ClockSkew}; give 00:00:00 to 00:05:00";
        }
    }

    private IEnumerable<string> Developer(AuthOptions options)
    {
        if (options.QueryToken is true && !mode.Allowed)
        {
            yield return "Auth:QueryToken is true, but the environment is not Development: tokens would end in the logs of every proxy; remove it";
        }

        if (options.DevToken is true && !mode.Allowed)
        {
            yield return "Auth:DevToken is true, but the environment is not Development: anyone could become any user; remove it";
        }

        if (options.DevToken is true && string.IsNullOrEmpty(options.SigningKey))
        {
            yield return "Auth:DevToken is true without Auth:SigningKey; tokens of an authority come from the authority alone";
        }
    }
}

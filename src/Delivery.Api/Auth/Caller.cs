using System.Collections.Frozen;
using System.Security.Claims;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Who is asking, from the validated token; never from a parameter.</summary>
/// <param name="Expires">When the token ends; null for never.</param>
public sealed record Caller(StreamKey Stream, DateTimeOffset? Expires, IReadOnlySet<string> Scopes)
{
    /// <summary>Lets agents in other languages append events for users of the token's tenant.</summary>
    public const string AppendScope = "events:append";

    /// <summary>The caller of a request that passed authentication.</summary>
    /// <exception cref="InvalidOperationException">It did not: the endpoint lacks <c>RequireAuthorization()</c>.</exception>
    public static Caller Of(HttpContext context) =>
        Find(context) ?? throw new InvalidOperationException(
            $"{context.Request.Path} asks for its caller but does not require authorization");

    /// <summary>The caller, or null where the request carries no valid token.</summary>
    public static Caller? Find(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<Caller>();
    }

    /// <summary>Reads a validated token's claims.</summary>
    /// <param name="problem">Why the token names no caller; null when it does.</param>
    internal static Caller? Read(
        ClaimsPrincipal principal, DateTimeOffset? expires, AuthOptions options, out string? problem)
    {
        var user = Single(principal, options.UserClaim, null, out problem);
        var tenant = problem is null ? Single(principal, options.TenantClaim, options.DefaultTenant, out problem) : null;
        if (problem is not null)
        {
            return null;
        }

        var scopes = principal.FindAll(options.ScopeClaim)
            .SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToHashSet(StringComparer.Ordinal);
        return new Caller(StreamKey.Of(tenant!, user!), expires, scopes.Count > 0 ? scopes : FrozenSet<string>.Empty);
    }

    private static string? Single(ClaimsPrincipal principal, string claim, string? fallback, out string? problem)
    {
        var values = principal.FindAll(claim).Select(c => c.Value).ToList();
        if (values.Count > 1)
        {
            problem = $"the token's claim '{claim}' has {values.Count} values, one is needed";
            return null;
        }

        var value = values.Count == 1 ? values[0] : fallback;
        problem = Limits.DescribeInvalidId(value) is { } invalid ? $"the token's claim '{claim}' {invalid}" : null;
        return value;
    }
}

using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Pipeline.Delivery.Tests;

/// <summary>Tokens as an authority, or an attacker, may make them.</summary>
internal static class Tokens
{
    public static string Sign(
        Dictionary<string, object> claims, string key = TestNode.SigningKey, TimeSpan? lifetime = null, string? audience = null) =>
        Sign(
            claims,
            new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(key)), SecurityAlgorithms.HmacSha256),
            lifetime,
            audience);

    public static string Sign(
        Dictionary<string, object> claims, SigningCredentials? credentials, TimeSpan? lifetime = null, string? audience = null, string? issuer = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var ends = now + (lifetime ?? TimeSpan.FromMinutes(10));
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Claims = claims,
            Issuer = issuer,
            Audience = audience,
            NotBefore = ends < now ? ends - TimeSpan.FromMinutes(10) : now,
            Expires = ends,
            SigningCredentials = credentials,
        });
    }

    public static string Of(string user, string? tenant = null, string? scope = null)
    {
        var claims = new Dictionary<string, object> { ["sub"] = user };
        if (tenant is not null)
        {
            claims["tenant"] = tenant;
        }

        if (scope is not null)
        {
            claims["scope"] = scope;
        }

        return Sign(claims);
    }
}

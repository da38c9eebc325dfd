using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Pipeline.Delivery.Api;

/// <summary>Checks tokens that do not come in the Authorization header: WebSocket subprotocol, <c>auth</c> frame, query.</summary>
public sealed class TokenValidation(
    IOptionsMonitor<JwtBearerOptions> bearer, IOptions<AuthOptions> options, AuthorityKeys keys)
{
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false };

    /// <summary>
    /// False while the authority's keys were never fetched: then no token can be judged, good or bad, and clients
    /// should come back with the same one.
    /// </summary>
    public bool CanValidate => keys.Known;

    /// <summary>The caller, or null when the token is bad or expired. Needs no dependency but cached keys.</summary>
    public async Task<Caller?> ValidateAsync(string token)
    {
        if (string.IsNullOrEmpty(token))
        {
            return null;
        }

        var parameters = bearer.Get(JwtBearerDefaults.AuthenticationScheme).TokenValidationParameters;
        var result = await _handler.ValidateTokenAsync(token, parameters);
        return result.IsValid
            ? Caller.Read(new ClaimsPrincipal(result.ClaimsIdentity), result.SecurityToken.ValidTo, options.Value, out _)
            : null;
    }
}

using System.Text;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Pipeline.Delivery.Api;

public static class AuthServices
{
    /// <summary>Adds bearer authentication; options from section <c>Auth</c>.</summary>
    public static IServiceCollection AddDeliveryAuth(this IServiceCollection services, DeveloperMode mode)
    {
        services.AddSingleton(mode);
        services.AddOptions<AuthOptions>().BindConfiguration(AuthOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<AuthOptions>, AuthOptionsValidator>();
        services.AddSingleton<AuthorityKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<AuthorityKeys>());
        services.AddSingleton<TokenValidation>();
        services.AddSingleton<IConfigureOptions<JwtBearerOptions>, BearerSetup>();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddAuthorization();
        return services;
    }
}

/// <summary>How a token is judged, the same wherever it comes from.</summary>
internal sealed class BearerSetup(
    IOptions<AuthOptions> options, AuthorityKeys keys, DeveloperMode mode, TimeProvider time)
    : IConfigureNamedOptions<JwtBearerOptions>
{
    public void Configure(JwtBearerOptions bearer) => Configure(JwtBearerDefaults.AuthenticationScheme, bearer);

    public void Configure(string? name, JwtBearerOptions bearer)
    {
        var auth = options.Value;
        bearer.MapInboundClaims = false;
        bearer.RequireHttpsMetadata = !mode.IsDevelopment;
        bearer.Events = new BearerEvents(auth, auth.QueryToken ?? mode.Allowed, keys);
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidateAudience = !string.IsNullOrEmpty(auth.Audience),
            ValidAudience = auth.Audience,
            ValidateIssuer = false,
            LifetimeValidator = (notBefore, expires, _, _) => IsAlive(notBefore, expires, auth.ClockSkew),
            NameClaimType = auth.UserClaim,
        };
        AddKeys(bearer.TokenValidationParameters, auth);
        if (!string.IsNullOrEmpty(auth.Issuer) || !string.IsNullOrEmpty(auth.Authority))
        {
            AddIssuer(bearer.TokenValidationParameters);
        }
    }

    private void AddIssuer(TokenValidationParameters parameters)
    {
        parameters.ValidateIssuer = true;
        parameters.IssuerValidator = (issuer, _, _) => IsIssuer(issuer)
            ? issuer
            : throw new SecurityTokenInvalidIssuerException($"issuer '{issuer}' is not the expected one");
    }

    private void AddKeys(TokenValidationParameters parameters, AuthOptions auth)
    {
        if (!string.IsNullOrEmpty(auth.SigningKey))
        {
            parameters.IssuerSigningKey = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(auth.SigningKey));
            parameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
            return;
        }

        parameters.IssuerSigningKeyResolver = (_, _, keyId, _) => keys.Find(keyId);
    }

    private bool IsIssuer(string issuer) =>
        string.Equals(
            issuer, string.IsNullOrEmpty(options.Value.Issuer) ? keys.Issuer : options.Value.Issuer, StringComparison.Ordinal);

    private bool IsAlive(DateTime? notBefore, DateTime? expires, TimeSpan skew)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return expires is { } end && now - skew < end && (notBefore is not { } start || now + skew >= start);
    }
}

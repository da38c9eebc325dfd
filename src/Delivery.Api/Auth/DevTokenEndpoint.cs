using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Pipeline.Delivery.Api;

/// <summary><c>POST /v1/dev/token</c>: anyone becomes anyone. Development and Standalone only.</summary>
internal static class DevTokenEndpoint
{
    private const int MaxBytes = 4096;
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    public static void MapDevToken(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/dev/token", GiveAsync)
            .WithName("devToken").WithTags("development")
            .WithSummary("A token for any user; in Development and Standalone only")
            .Accepts<DevTokenBody>("application/json")
            .Produces<TokenBody>()
            .ProducesProblems(400, 404, 413, 415);

    private static async Task<IResult> GiveAsync(
        HttpContext context, IOptions<AuthOptions> options, DeveloperMode mode, TimeProvider time)
    {
        var auth = options.Value;
        if (!mode.Allowed || auth.DevToken is false || string.IsNullOrEmpty(auth.SigningKey))
        {
            return Problem.NotFound("development tokens are off here; get a token from the authority that this service trusts");
        }

        using var document = await JsonBody.ReadAsync(context, MaxBytes);
        var body = JsonAt.Root(document).AsObject();
        return Results.Json(new TokenBody(
            Sign(auth, body.Get("user").AsId(), body.Find("scope")?.AsString() ?? "", time.GetUtcNow().UtcDateTime)));
    }

    private static string Sign(AuthOptions auth, string user, string scope, DateTime now)
    {
        var claims = new Dictionary<string, object>
        {
            [auth.UserClaim] = user,
            [auth.TenantClaim] = string.IsNullOrEmpty(auth.DefaultTenant) ? "default" : auth.DefaultTenant,
        };
        if (scope.Length > 0)
        {
            claims[auth.ScopeClaim] = scope;
        }

        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = string.IsNullOrEmpty(auth.Issuer) ? null : auth.Issuer,
            Audience = string.IsNullOrEmpty(auth.Audience) ? null : auth.Audience,
            Claims = claims,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + Lifetime,
            SigningCredentials = new SigningCredentials(
                new SymmetricSecurityKey(Encoding.UTF8.GetBytes(auth.SigningKey!)), SecurityAlgorithms.HmacSha256),
        });
    }
}

/// <param name="Scope">Scopes separated by spaces, for example <c>events:append</c>; null for none.</param>
public sealed record DevTokenBody(string User, string? Scope);

public sealed record TokenBody(string Token);

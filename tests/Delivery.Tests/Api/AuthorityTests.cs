using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

public sealed class AuthorityTests
{
    [Fact]
    public async Task An_authority_that_is_down_at_start_stops_nothing_and_its_keys_outlive_it()
    {
        using var rsa = RSA.Create(2048);
        var key = new RsaSecurityKey(rsa) { KeyId = "k1" };
        var url = $"http://127.0.0.1:{FreePort.Find()}";
        await using var node = await TestNode.StartAsync(new()
        {
            ["Auth:SigningKey"] = "", ["Auth:Authority"] = url, ["Auth:Audience"] = "pipeline",
        });
        var token = Sign(key, url);

        // Nobody can judge the token yet, so it is not called a bad one.
        (await node.GetAsync("/health/ready")).Is(200);
        Assert.NotNull((await node.GetAsync("/v1/threads", token)).IsProblem(503).Headers.RetryAfter);
        var stream = await node.SendAsync(HttpMethod.Get, "/v1/events", token, null, ("Accept", "text/event-stream"));
        Assert.Equal((200, "text/event-stream"), (stream.Status, stream.Type));
        Assert.Matches("^retry: [0-9]{4}\n\n$", stream.Text);
        (await node.GetAsync("/v1/threads")).IsProblem(401);
        (await node.GetAsync("/v1/events")).IsProblem(401);
        Assert.Contains("\"keys\",\"status\":\"degraded\"", (await node.GetAsync("/status")).Text, StringComparison.Ordinal);

        await using (await StartAuthorityAsync(url, key))
        {
            await Eventually.HoldsAsync(
                "the token is accepted", async () => (await node.GetAsync("/v1/threads", token)).Status == 200, TimeSpan.FromSeconds(60));
        }

        (await node.GetAsync("/v1/threads", token)).Is(200);
        (await node.GetAsync("/v1/threads", Sign(key, "https://someone.else"))).IsProblem(401);
        using var other = RSA.Create(2048);
        (await node.GetAsync("/v1/threads", Sign(new RsaSecurityKey(other) { KeyId = "k1" }, url))).IsProblem(401);
        (await node.GetAsync("/v1/threads", Sign(new RsaSecurityKey(other) { KeyId = "k2" }, url))).IsProblem(401);
        (await node.PostAsync("/v1/dev/token", null, new { user = "alice" })).IsProblem(404);
    }

    private static string Sign(RsaSecurityKey key, string issuer) => Tokens.Sign(
        new() { ["sub"] = "alice" }, new SigningCredentials(key, SecurityAlgorithms.RsaSha256), audience: "pipeline", issuer: issuer);

    private static async Task<WebApplication> StartAuthorityAsync(string url, RsaSecurityKey key)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add(url);
        var parameters = key.Rsa.ExportParameters(includePrivateParameters: false);
        app.MapGet("/.well-known/openid-configuration", () => Results.Json(new { issuer = url, jwks_uri = $"{url}/keys" }));
        app.MapGet("/keys", () => Results.Json(new
        {
            keys = new[]
            {
                new
                {
                    kty = "RSA",
                    use = "sig",
                    kid = key.KeyId,
                    n = Base64UrlEncoder.Encode(parameters.Modulus!),
                    e = Base64UrlEncoder.Encode(parameters.Exponent!),
                },
            },
        }));
        await app.StartAsync();
        return app;
    }
}

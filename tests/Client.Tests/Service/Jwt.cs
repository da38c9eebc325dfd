using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Pipeline.Client.Tests;

/// <summary>Tokens as an authority makes them (RFC 7519, HS256).</summary>
internal static class Jwt
{
    public static string Sign(string key, string user, string scope, TimeSpan life)
    {
        var exp = (TimeProvider.System.GetUtcNow() + life).ToUnixTimeSeconds();

        // No two are the same: a renewed token is another one.
        var claims = JsonSerializer.SerializeToUtf8Bytes(new { sub = user, scope, exp, jti = Guid.CreateVersion7() });
        var content = $"{Base64Url.EncodeToString("""{"alg":"HS256","typ":"JWT"}"""u8)}.{Base64Url.EncodeToString(claims)}";
        return $"{content}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.ASCII.GetBytes(content)))}";
    }
}

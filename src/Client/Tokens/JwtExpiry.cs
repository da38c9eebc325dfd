using System.Buffers.Text;
using System.Text.Json;

namespace Pipeline.Client;

/// <summary>When a token ends, as far as it says so itself. Nothing is verified: that is the service's part.</summary>
internal static class JwtExpiry
{
    /// <summary>The <c>exp</c> of a JWT (RFC 7519, 4.1.4); null where there is none.</summary>
    public static DateTimeOffset? Of(string token)
    {
        if (token.Split('.') is not [_, var payload, _])
        {
            return null;
        }

        try
        {
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(payload));
            return claims.RootElement.ValueKind == JsonValueKind.Object
                && claims.RootElement.TryGetProperty("exp", out var exp)
                && exp.ValueKind == JsonValueKind.Number
                && exp.TryGetDouble(out var seconds)
                && seconds is >= 0 and < 253_402_300_800
                    ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
                    : null;
        }
        catch (Exception problem) when (problem is FormatException or JsonException)
        {
            return null;
        }
    }
}

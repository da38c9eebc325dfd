using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Who is asking, from the validated token; never from a parameter.</summary>
/// <param name="Expires">When the token ends; null for never.</param>
public sealed record Caller(StreamKey Stream, DateTimeOffset? Expires, IReadOnlySet<string> Scopes)
{
    /// <summary>The caller of a request that passed authentication.</summary>
    public static Caller Of(HttpContext context) => throw new NotImplementedException();
}

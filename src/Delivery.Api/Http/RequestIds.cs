using Microsoft.AspNetCore.Http.Features;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Ids that come in a request's path or headers.</summary>
internal static class RequestIds
{
    private const string IdempotencyKeyHeader = "Idempotency-Key";

    /// <summary>
    /// An id from the path, decoded once. The server decodes all but an encoded slash, after which <c>%2F</c> may have been
    /// that or <c>%252F</c>: only the path as it was sent can tell.
    /// </summary>
    /// <param name="name">The route's parameter.</param>
    /// <exception cref="RejectedRequestException">It is no id.</exception>
    public static string FromPath(HttpRequest request, string name)
    {
        var value = (string)request.RouteValues[name]!;
        if (!value.Contains("%2F", StringComparison.OrdinalIgnoreCase))
        {
            return Checked(name, value);
        }

        var target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var sent = target.Split('?')[0].Split('/').FirstOrDefault(segment => DecodedByServer(segment) == value);
        return Checked(name, sent is null ? value : Uri.UnescapeDataString(sent));
    }

    /// <summary>The request's idempotency key, or null where it has none.</summary>
    /// <exception cref="RejectedRequestException">It is no id.</exception>
    public static string? IdempotencyKey(HttpRequest request) =>
        request.Headers.TryGetValue(IdempotencyKeyHeader, out var value) ? Checked(IdempotencyKeyHeader, value) : null;

    private static string DecodedByServer(string segment) => Uri.UnescapeDataString(
        segment.Replace("%2F", "%252F", StringComparison.Ordinal).Replace("%2f", "%252f", StringComparison.Ordinal));

    private static string Checked(string name, string? value) =>
        Limits.DescribeInvalidId(value) is { } problem
            ? throw new RejectedRequestException(Problem.BadRequest(name, $"{name} {problem}"))
            : value!;
}

using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Ids that come in a request's path or headers.</summary>
internal static class RequestIds
{
    private const string IdempotencyKeyHeader = "Idempotency-Key";

    /// <summary>An id from the path. Routing leaves an encoded slash encoded.</summary>
    /// <exception cref="RejectedRequestException">It is none.</exception>
    public static string FromPath(string name, string value) =>
        Checked(name, value.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase));

    /// <summary>The request's idempotency key, or null where it has none.</summary>
    /// <exception cref="RejectedRequestException">It is no id.</exception>
    public static string? IdempotencyKey(HttpRequest request) =>
        request.Headers.TryGetValue(IdempotencyKeyHeader, out var value) ? Checked(IdempotencyKeyHeader, value) : null;

    private static string Checked(string name, string? value) =>
        Limits.DescribeInvalidId(value) is { } problem
            ? throw new RejectedRequestException(Problem.BadRequest(name, $"{name} {problem}"))
            : value!;
}

using System.Globalization;

namespace Pipeline.Delivery.Api;

/// <summary><c>application/problem+json</c> answers: what was wrong, where, and what to do.</summary>
public static class Problem
{
    /// <summary>Seconds that <see cref="Unavailable"/> asks to wait.</summary>
    public const int RetryAfterSeconds = 2;

    /// <param name="field">The query parameter, header or JSON path that is wrong.</param>
    public static IResult BadRequest(string field, string detail) =>
        Of(StatusCodes.Status400BadRequest, "Bad request", detail, ("field", field));

    public static IResult Unauthorized(string detail) =>
        Of(StatusCodes.Status401Unauthorized, "Not authenticated", detail);

    public static IResult Forbidden(string detail) => Of(StatusCodes.Status403Forbidden, "Not allowed", detail);

    public static IResult NotFound(string detail) => Of(StatusCodes.Status404NotFound, "Not found", detail);

    /// <param name="reason">Machine-readable.</param>
    public static IResult Conflict(string field, string detail, string reason) =>
        Of(StatusCodes.Status409Conflict, "Conflict", detail, ("field", field), ("reason", reason));

    /// <param name="field">The JSON path that is too large; <c>body</c> for the whole.</param>
    /// <param name="size">In bytes; null when the sender did not say and reading stopped at the limit.</param>
    public static IResult TooLarge(string field, long? size, long limit) =>
        Of(
            StatusCodes.Status413PayloadTooLarge,
            "Too large",
            $"{field} has {size?.ToString(CultureInfo.InvariantCulture) ?? $"more than {limit}"} bytes, the limit is {limit}; send less at once, or keep large content elsewhere and send a reference",
            ("field", field),
            ("size", size),
            ("limit", limit));

    public static IResult UnsupportedMediaType(string? given) =>
        Of(
            StatusCodes.Status415UnsupportedMediaType,
            "Unsupported media type",
            $"Content-Type is '{given}'; send JSON as application/json",
            ("field", "Content-Type"));

    public static IResult Unprocessable(string field, string detail) =>
        Of(StatusCodes.Status422UnprocessableEntity, "Unprocessable", detail, ("field", field));

    /// <summary>A dependency is away: 503 with Retry-After.</summary>
    public static IResult Unavailable(string detail) =>
        new WithRetryAfter(Of(StatusCodes.Status503ServiceUnavailable, "Temporarily unavailable", detail));

    /// <summary>Any other status.</summary>
    public static IResult Of(int status, string title, string detail, params (string Key, object? Value)[] more) =>
        Results.Problem(
            detail,
            statusCode: status,
            title: title,
            type: "about:blank",
            extensions: more.Where(m => m.Value is not null).Select(m => KeyValuePair.Create(m.Key, m.Value)));

    private sealed class WithRetryAfter(IResult inner) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
            return inner.ExecuteAsync(httpContext);
        }
    }
}

namespace Pipeline.Delivery.Api;

/// <summary><c>application/problem+json</c> answers: what was wrong, where, and what to do.</summary>
public static class Problem
{
    /// <param name="field">The query parameter, header or JSON path that is wrong.</param>
    public static IResult BadRequest(string field, string detail) => throw new NotImplementedException();

    public static IResult NotFound(string detail) => throw new NotImplementedException();

    public static IResult Conflict(string detail) => throw new NotImplementedException();

    /// <summary>A dependency is away: 503 with Retry-After.</summary>
    public static IResult Unavailable(string detail) => throw new NotImplementedException();
}

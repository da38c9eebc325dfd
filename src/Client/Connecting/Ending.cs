using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>How a connection ended, in the close codes of PROTOCOL.md, section 8, whatever transport it was.</summary>
/// <param name="Code">A close code.</param>
/// <param name="What">For people.</param>
internal sealed record Ending(int Code, string What)
{
    /// <summary>Lost: what RFC 6455, 7.1.5 reserves for it.</summary>
    public const int Lost = 1006;

    /// <summary>Left by this client, in good order.</summary>
    public const int Left = 1000;

    /// <summary>The least that the service asked to wait; null when it asked for nothing.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether it says something about the transport: not where nobody was reached, or the service itself answered.</summary>
    public bool IsTheTransports { get; init; }

    /// <summary>Whether the token that was refused is an old one.</summary>
    public bool TokenMayHaveEnded { get; init; }

    public Exception? Cause { get; init; }

    /// <summary>Of an answer that is none to read from. What is refused before an upgrade may be a proxy's word, not the service's.</summary>
    /// <param name="detail">What the answer says; null for nothing.</param>
    public static Ending OfStatus(HttpStatusCode status, string? detail, TimeSpan? retryAfter, bool isUpgrade)
    {
        var what = detail is null ? $"answered with {(int)status}" : $"answered with {(int)status}: {detail}";
        return (int)status switch
        {
            401 => new Ending(CloseCodes.Unauthorized, what),
            429 or 503 => new Ending(CloseCodes.Overload, what) { RetryAfter = retryAfter },
            408 or 425 or >= 500 => new Ending(Lost, what) { RetryAfter = retryAfter, IsTheTransports = (int)status is 500 or 501 },
            _ when isUpgrade => new Ending(Lost, what) { IsTheTransports = true },
            403 => new Ending(CloseCodes.Forbidden, what),
            404 => new Ending(CloseCodes.NotFound, what),
            >= 400 => new Ending(CloseCodes.PolicyViolation, what),
            _ => new Ending(Lost, what) { IsTheTransports = true },
        };
    }

    /// <summary>Of what broke a connection; null for what is no matter of connections.</summary>
    public static Ending? Of(Exception exception) => exception switch
    {
        ConnectionEndedException ended => ended.Ending,
        JsonException => new Ending(Lost, $"what came breaks the protocol: {exception.Message}") { IsTheTransports = true, Cause = exception },
        WebSocketException or HttpRequestException or IOException =>
            new Ending(Lost, exception.Message) { IsTheTransports = !IsUnreachable(exception), Cause = exception },
        OperationCanceledException when IsUnreachable(exception) => new Ending(Lost, exception.Message) { Cause = exception },
        _ => null,
    };

    // A TimeoutException comes from dialling: the other bounds are this client's own.
    private static bool IsUnreachable(Exception? exception) => exception switch
    {
        null => false,
        TimeoutException or HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        } => true,
        _ => IsUnreachable(exception.InnerException),
    };
}

/// <summary>A connection ended, or did not come about, for a known cause.</summary>
internal sealed class ConnectionEndedException(Ending ending) : Exception(ending.What, ending.Cause)
{
    public Ending Ending { get; } = ending;
}

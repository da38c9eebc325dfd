namespace Pipeline.Delivery.Api;

/// <summary>Turns what goes wrong behind it, and every error answer without a body, into problems.</summary>
internal sealed partial class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
            if (context.Response.StatusCode >= 400 && IsBare(context.Response))
            {
                await Describe(context).ExecuteAsync(context);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested || context.Response.HasStarted)
        {
            // Nobody is there to read an answer, or whoever is takes nothing in.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            await Describe(exception, context.Request).ExecuteAsync(context);
        }
    }

    private static bool IsBare(HttpResponse response) =>
        !response.HasStarted && response.ContentLength is null && string.IsNullOrEmpty(response.ContentType);

    private IResult Describe(Exception exception, HttpRequest request)
    {
        switch (exception)
        {
            case RejectedRequestException rejected:
                return rejected.Problem;
            case BadHttpRequestException bad:
                return Problem.Of(bad.StatusCode, "Bad request", bad.Message);
            case var _ when DatabaseFault.IsAway(exception):
                LogUnavailable(exception, request.Method, request.Path);
                return Problem.Unavailable("the database does not answer at the moment; send the same request again, with the same Idempotency-Key or event ids so that nothing happens twice");
            default:
                LogFailed(exception, request.Method, request.Path);
                return Problem.Of(
                    StatusCodes.Status500InternalServerError,
                    "Internal error",
                    $"{request.Method} {request.Path} failed in this service, not in your request; its log has the cause under event 4021");
        }
    }

    private static IResult Describe(HttpContext context)
    {
        var request = context.Request;
        var what = $"{request.Method} {request.Path}";
        return context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => Problem.NotFound($"there is nothing at {what}; /openapi/v1.json lists what there is"),
            StatusCodes.Status405MethodNotAllowed => Problem.Of(
                StatusCodes.Status405MethodNotAllowed,
                "Method not allowed",
                $"{request.Path} does not take {request.Method}; use {context.Response.Headers.Allow}"),
            StatusCodes.Status415UnsupportedMediaType => Problem.UnsupportedMediaType(request.ContentType),
            var status => Problem.Of(status, "Error", $"{what} was answered with {status}; /openapi/v1.json says how to use it"),
        };
    }

    [LoggerMessage(4020, LogLevel.Warning, "{Method} {Path} was answered with 503: the database does not answer")]
    private partial void LogUnavailable(Exception exception, string method, string path);

    [LoggerMessage(4021, LogLevel.Error, "{Method} {Path} failed")]
    private partial void LogFailed(Exception exception, string method, string path);
}

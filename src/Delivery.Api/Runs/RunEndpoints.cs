using System.Globalization;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>Starting, cancelling and looking at runs; the user comes from the token.</summary>
internal static class RunEndpoints
{
    private const int MaxStartBytes = 1024 * 1024;

    public static void MapRuns(this IEndpointRouteBuilder routes)
    {
        var api = routes.MapGroup("/v1").RequireAuthorization().WithTags("runs");

        api.MapPost("/threads/{thread}/runs", StartAsync)
            .WithName("startRun")
            .WithSummary("Starts a run; repeat it safely with the same Idempotency-Key")
            .Accepts<StartRunBody>("application/json")
            .Produces<RunStartedBody>(StatusCodes.Status202Accepted)
            .ProducesProblems(400, 401, 413, 415, 422, 503);

        api.MapPost("/runs/{run}/cancel", CancelAsync)
            .WithName("cancelRun")
            .WithSummary("Asks to cancel a run; one that has ended stays as it is")
            .Produces<RunBody>(StatusCodes.Status202Accepted)
            .ProducesProblems(400, 401, 404, 503);

        api.MapGet("/runs/{run}", GetAsync)
            .WithName("getRun")
            .WithSummary("One of the user's runs")
            .Produces<RunBody>()
            .ProducesProblems(400, 401, 404, 503);

        api.MapGet("/threads", ListThreadsAsync)
            .WithName("listThreads")
            .WithSummary("The user's threads, most recently requested first")
            .Produces<ThreadsBody>()
            .ProducesProblems(400, 401, 503);
    }

    private static async Task<IResult> StartAsync(HttpContext context, RunStore runs)
    {
        var threadId = RequestIds.FromPath(context.Request, "thread");
        var key = RequestIds.IdempotencyKey(context.Request);
        using var document = await JsonBody.ReadAsync(context, MaxStartBytes);
        var body = JsonAt.Root(document).AsObject();
        var run = new NewRun(Caller.Of(context).Stream, threadId, ReadInput(body), body.Find("agent")?.AsId(), key);
        try
        {
            var created = await runs.CreateAsync(run, context.RequestAborted);
            return Results.Accepted(
                $"/v1/runs/{Uri.EscapeDataString(created.Run)}",
                new RunStartedBody(created.Run, created.Thread, created.Status.OnWire(), created.Cursor.ToString()));
        }
        catch (IdempotencyConflictException exception)
        {
            return Problem.Unprocessable("Idempotency-Key", exception.Message);
        }
        catch (InvalidEventException exception)
        {
            return exception.TooLarge is var (size, limit)
                ? Problem.TooLarge("input", size, limit)
                : Problem.BadRequest(exception.Field, exception.Message);
        }
    }

    private static async Task<IResult> CancelAsync(HttpContext context, RunStore runs)
    {
        var id = RequestIds.FromPath(context.Request, "run");
        var found = await runs.RequestCancelAsync(Caller.Of(context).Stream, id, context.RequestAborted);
        return found is null ? NoSuchRun(id) : Results.Accepted(value: RunBody.Of(found));
    }

    private static async Task<IResult> GetAsync(HttpContext context, RunStore runs)
    {
        var id = RequestIds.FromPath(context.Request, "run");
        var found = await runs.GetAsync(Caller.Of(context).Stream, id, context.RequestAborted);
        return found is null ? NoSuchRun(id) : Results.Json(RunBody.Of(found));
    }

    private static async Task<IResult> ListThreadsAsync(HttpContext context, RunStore runs, string? limit = null)
    {
        var most = Limits.PageEvents;
        if (limit is not null
            && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out most)
                || most is < 1 or > Limits.PageEvents))
        {
            return Problem.BadRequest("limit", $"limit is '{limit}'; give 1 to {Limits.PageEvents}");
        }

        var threads = await runs.ListThreadsAsync(Caller.Of(context).Stream, most, context.RequestAborted);
        return Results.Json(new ThreadsBody([.. threads.Select(ThreadBody.Of)]));
    }

    private static string ReadInput(JsonAt body)
    {
        var input = body.Get("input");
        var text = input.AsString();
        return string.IsNullOrWhiteSpace(text) ? throw input.Wrong("is empty; say what the agent shall do")
            : text.Contains('\0', StringComparison.Ordinal) ? throw input.Wrong("holds a NUL character; remove it")
            : text;
    }

    private static IResult NoSuchRun(string run) =>
        Problem.NotFound($"you have no run '{run}'; GET /v1/threads lists your threads with their last runs");
}

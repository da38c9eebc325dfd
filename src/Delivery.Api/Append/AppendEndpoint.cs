using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary><c>POST /v1/events</c>: agents in other languages append over HTTP.</summary>
internal static class AppendEndpoint
{
    public static void MapAppend(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/events", AppendAsync)
            .RequireAuthorization()
            .WithName("appendEvents")
            .WithTags("events")
            .WithSummary("Appends events of one user; needs the scope events:append")
            .WithDescription(
                "All or nothing, idempotent by event id: the same id with the same content is answered with its first "
                + "cursor. The first event of an unknown run opens it; each run counts its events from 1 in `sequence`.")
            .Accepts<AppendBody>("application/json")
            .Produces<AppendedBody>()
            .ProducesProblems(400, 401, 403, 409, 413, 415, 503);

    private static async Task<IResult> AppendAsync(
        HttpContext context, AppendRequest request, EventLog log, IOptions<DeliveryOptions> options)
    {
        var caller = Caller.Of(context);
        if (!caller.Scopes.Contains(Caller.AppendScope))
        {
            return Problem.Forbidden($"the token lacks the scope {Caller.AppendScope}; ask for a token that has it");
        }

        using var document = await JsonBody.ReadAsync(context, options.Value.MaxAppendBytes);
        var events = request.Read(document, caller.Stream.Split().Tenant);
        try
        {
            var result = await log.AppendAsync(events, context.RequestAborted);
            return Results.Json(new AppendedBody([.. result.Events.Select(e => new AppendedItem(
                e.Id, new Cursor(Epoch.Of(result.Generation, e.Stream, e.Incarnation), e.Position).ToString()))]));
        }
        catch (AppendRejectedException exception)
        {
            return Problem.Conflict(
                $"events[{exception.Index}]",
                $"events[{exception.Index}] (id {events[exception.Index].Id}): {exception.Message}; nothing was stored",
                ReasonOf(exception.Reason));
        }
    }

    private static string ReasonOf(AppendRejection reason) => reason switch
    {
        AppendRejection.IdConflict => "id_conflict",
        AppendRejection.SequenceMismatch => "sequence_mismatch",
        AppendRejection.RunEnded => "run_ended",
        AppendRejection.Fenced => "fenced",
        AppendRejection.ThreadMismatch => "thread_mismatch",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "no such rejection"),
    };
}

using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>Where a token may come from besides the header, who it names, and what an unauthenticated request gets.</summary>
internal sealed class BearerEvents(AuthOptions options, bool queryToken, AuthorityKeys keys) : JwtBearerEvents
{
    private const string QueryName = "access_token";

    public override Task MessageReceived(MessageReceivedContext context)
    {
        var request = context.Request;
        if (queryToken
            && EventsEndpoint.IsAt(request.Path)
            && HttpMethods.IsGet(request.Method)
            && !request.Headers.ContainsKey("Authorization")
            && request.Query[QueryName] is [{ Length: > 0 } token])
        {
            context.Token = token;
        }

        return Task.CompletedTask;
    }

    public override Task TokenValidated(TokenValidatedContext context)
    {
        var caller = Caller.Read(context.Principal!, context.SecurityToken.ValidTo, options, out var problem);
        if (caller is null)
        {
            context.Fail(problem!);
        }
        else
        {
            context.HttpContext.Features.Set(caller);
        }

        return Task.CompletedTask;
    }

    public override Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        if (!keys.Known && context.AuthenticateFailure is not null)
        {
            return AskToComeBackAsync(context.HttpContext);
        }

        var cause = CauseOf(context);
        context.Response.Headers.WWWAuthenticate = cause is null
            ? JwtBearerDefaults.AuthenticationScheme
            : $"Bearer error=\"invalid_token\", error_description=\"{Quotable(cause)}\"";
        return Problem.Unauthorized(cause is null
            ? "the request carries no token; send 'Authorization: Bearer TOKEN'"
            : $"the token was refused: {cause}; get a new one and send it as 'Authorization: Bearer TOKEN'")
            .ExecuteAsync(context.HttpContext);
    }

    public override Task Forbidden(ForbiddenContext context) =>
        Problem.Forbidden("the token does not allow this; ask for one with the scope that the operation names")
            .ExecuteAsync(context.HttpContext);

    // The framework's own texts where it has one; other exceptions of its are not for the caller.
    private static string? CauseOf(JwtBearerChallengeContext context) => context.AuthenticateFailure switch
    {
        null => null,
        AuthenticationFailureException ours => ours.Message,
        _ when !string.IsNullOrEmpty(context.ErrorDescription) => context.ErrorDescription,
        _ => "it is no valid token",
    };

    // An EventSource gives up for good on 503, so it gets an empty stream that it opens again.
    private static async Task AskToComeBackAsync(HttpContext context)
    {
        if (!EventsEndpoint.IsAt(context.Request.Path) || !EventsEndpoint.WantsEventStream(context.Request))
        {
            await Problem.Unavailable("the keys that tokens are checked with have not been fetched yet; send the same request again")
                .ExecuteAsync(context);
            return;
        }

        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        EventWriter.WriteRetry(context.Response.BodyWriter, context.RequestServices.GetRequiredService<IOptions<FeedOptions>>().Value.Retry);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static string Quotable(string text) =>
        string.Concat(text.Select(c => c is < ' ' or > '~' or '"' or '\\' ? '\'' : c));
}

using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Lets go of what a handshake leaves with its connection: its token and other headers, whom they were found to be, the
/// services made for it. The server keeps them until the request ends, which here may be in days.
/// </summary>
internal static class SpentRequest
{
    public static async Task LetGoAsync(HttpContext context)
    {
        var features = context.Features;
        if (features.Get<IServiceProvidersFeature>() is IAsyncDisposable services)
        {
            await services.DisposeAsync();
        }

        features.Set<Caller>(null);
        features.Set<IAuthenticateResultFeature>(null);
        features.Set<IHttpAuthenticationFeature>(null);
        features.Set<IHttpWebSocketFeature>(null);
        features.Set<IItemsFeature>(null);
        features.Set<IQueryFeature>(null);

        // Cleared as a whole, their values are kept for a next request on the connection; so is what enumerates them.
        var headers = context.Request.Headers;
        foreach (var header in headers.ToArray())
        {
            headers.Remove(header.Key);
        }
    }
}

using Microsoft.Extensions.FileProviders;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The page at <c>/</c> and the browser client at <c>/client/</c>, from the folders that the build copies beside the
/// program: the same from <c>dotnet run</c>, a published folder and inside Standalone, in any environment.
/// </summary>
internal static class StaticPages
{
    // As a header, since a page cannot say of itself who may frame it.
    private const string OwnOnly =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'";

    public static void UseStaticPages(this IApplicationBuilder app)
    {
        UseFolder(app, "wwwroot", "");
        UseFolder(app, "client", "/client");
    }

    private static void UseFolder(IApplicationBuilder app, string folder, string path)
    {
        var root = Path.Combine(AppContext.BaseDirectory, folder);
        if (!Directory.Exists(root))
        {
            return;
        }

        app.UseFileServer(new FileServerOptions
        {
            FileProvider = new PhysicalFileProvider(root),
            RequestPath = path,
            StaticFileOptions =
            {
                OnPrepareResponse = static file =>
                {
                    file.Context.Response.Headers.CacheControl = "no-cache";
                    file.Context.Response.Headers.XContentTypeOptions = "nosniff";
                    file.Context.Response.Headers.ContentSecurityPolicy = OwnOnly;
                },
            },
        });
    }
}

using Microsoft.Extensions.FileProviders;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The page at <c>/</c> and the browser client at <c>/client/</c>, from the folders that the build copies beside the
/// program: the same from <c>dotnet run</c>, a published folder and inside Standalone, in any environment.
/// </summary>
internal static class StaticPages
{
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
                },
            },
        });
    }
}

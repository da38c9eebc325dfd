using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Primitives;

namespace Pipeline.Delivery.Api;

/// <summary>
/// The page at <c>/</c> and the browser client at <c>/client/</c>, from the folders that the build copies beside the
/// program: the same from <c>dotnet run</c>, a published folder and inside Standalone, in any environment. They are
/// compressed, and nothing else is: events are written as they come.
/// </summary>
internal static class StaticPages
{
    // As a header, since a page cannot say of itself who may frame it.
    private const string OwnOnly =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'";

    public static void AddStaticPages(this IServiceCollection services) =>
        services.AddResponseCompression(compression =>
        {
            compression.EnableForHttps = true;
            compression.MimeTypes = ["text/html", "text/css", "text/javascript", "image/svg+xml"];
        });

    public static void UseStaticPages(this IApplicationBuilder app)
    {
        app.UseWhen(context => IsFile(context.Request.Path), pages => pages.UseResponseCompression());
        UseFolder(app, "wwwroot", "", []);

        // A module may be imported by pages of any origin: it holds nothing of anybody's.
        UseFolder(app, "client", "/client", [new("Access-Control-Allow-Origin", "*")]);
    }

    private static bool IsFile(PathString path) =>
        path.Value is { } value && (value.EndsWith('/') || Path.HasExtension(value));

    private static void UseFolder(IApplicationBuilder app, string folder, string path, KeyValuePair<string, StringValues>[] headers)
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
                OnPrepareResponse = file =>
                {
                    file.Context.Response.Headers.CacheControl = "no-cache";
                    file.Context.Response.Headers.XContentTypeOptions = "nosniff";
                    file.Context.Response.Headers.ContentSecurityPolicy = OwnOnly;
                    foreach (var header in headers)
                    {
                        file.Context.Response.Headers.Add(header);
                    }
                },
            },
        });
    }
}

using Microsoft.Extensions.Options;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Which pages may open WebSockets: CORS does not cover them. No Origin is no browser; else the page must be this host's
/// own, or of an allowed origin.
/// </summary>
internal sealed class OriginPolicy(IOptions<DeliveryOptions> options)
{
    public bool Allows(HttpRequest request)
    {
        var origins = request.Headers.Origin;
        if (origins.Count == 0)
        {
            return true;
        }

        var allowed = options.Value.AllowedOrigins;
        return allowed.Contains("*")
            || allowed.Contains(origins.ToString(), StringComparer.OrdinalIgnoreCase)
            || IsOwn(origins.ToString(), request.Host);
    }

    // The scheme may be another one behind a proxy that ends TLS; the authority is what tells sites apart.
    private static bool IsOwn(string origin, HostString host) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var page)
        && string.Equals(page.Host, host.Host.Trim('[', ']'), StringComparison.OrdinalIgnoreCase)
        && (host.Port is null ? page.IsDefaultPort : host.Port == page.Port);
}

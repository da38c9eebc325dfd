using System.Net.Mime;

namespace Pipeline.Agents.Worker;

internal static class WorkerHealth
{
    private const string DefaultUrl = "http://127.0.0.1:5090";

    /// <summary>Listens where the usual settings say (<c>ASPNETCORE_URLS</c>, <c>--urls</c>); without any, on this machine only.</summary>
    public static void UseDefaultHealthUrl(this WebApplicationBuilder builder)
    {
        string[] settings =
            [WebHostDefaults.ServerUrlsKey, WebHostDefaults.HttpPortsKey, WebHostDefaults.HttpsPortsKey, "Kestrel:Endpoints"];
        if (!settings.Any(key => builder.Configuration.GetSection(key).Exists()))
        {
            builder.WebHost.UseUrls(DefaultUrl);
        }
    }

    /// <summary>
    /// Live: the process answers. Ready: started and not stopping. No dependency changes either: a worker whose
    /// database is away is not helped by a restart.
    /// </summary>
    public static void MapWorkerHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/health/live", () => Results.Text("live\n", MediaTypeNames.Text.Plain));
        endpoints.MapGet("/health/ready", (RunScheduler scheduler, RunSlots slots) => scheduler.IsReady
            ? Results.Text($"ready, {slots.Held.Count} runs, room for {slots.Free}\n", MediaTypeNames.Text.Plain)
            : Results.Text("starting or stopping\n", MediaTypeNames.Text.Plain, statusCode: StatusCodes.Status503ServiceUnavailable));
    }
}
